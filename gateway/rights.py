"""What a call may reach: which models, and whose predictions of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from contract.access import ALL_MODELS, Permission
from contract.access_errors import PermissionDenied

Models = frozenset[str] | None
"""Ids of models; None: all."""
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Some predictions that a call reaches."""

    caller: str | None
    """Of this caller; None: of everybody."""
    models: Models


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What the roles of a caller give to a call of one rpc."""

    caller: str
    permissions: frozenset[Permission]
    """What the rpc asks for: any of them."""
    everybodys: Models
    """Models of which the call reaches everybody's predictions, or that it is about itself."""
    own: Models
    """Models of which it reaches those of its caller."""
    expire_time: float = inf
    """When the token ends that says so, in seconds since 1970."""

    @property
    def are_none(self) -> bool:
        """Whether the rpc is not for this caller at all."""
        return self.everybodys == _NONE and self.own == _NONE

    @property
    def reach_all(self) -> bool:
        """Whether no prediction is out of reach."""
        return self.everybodys is None

    def allow(self, model: str) -> bool:
        """Whether the call may be about this model."""
        return _among(model, self.everybodys) or _among(model, self.own)

    def check(self, model: str) -> None:
        """Raises PermissionDenied, for a model that there is as for one that there is not."""
        if not self.allow(model):
            raise PermissionDenied(self.permissions, model)

    def reach(self, model: str, caller: str) -> bool:
        """Whether a prediction of this model, made for this caller, is within reach."""
        return _among(model, self.everybodys) or (caller == self.caller and _among(model, self.own))

    def reach_everybodys(self, model: str) -> bool:
        """Whether all predictions of this model are within reach."""
        return _among(model, self.everybodys)

    def show_text(self, caller: str) -> bool:
        """Whether a prediction within reach, made for this caller, is told of with its text and
        what the model said of it.

        To be allowed to take back or to erase those of others is not to be allowed to read them.
        """
        return Permission.MANAGE not in self.permissions or caller == self.caller

    def portions(self, model: str = "") -> list[Portion]:
        """All that is within reach, of a model or ("") of all; one's own may be in two of them."""
        if model:
            if _among(model, self.everybodys):
                return [Portion(caller=None, models=None)]
            return [Portion(caller=self.caller, models=None)] if _among(model, self.own) else []
        if self.everybodys is None:
            return [Portion(caller=None, models=None)]
        own = None if self.own is None else self.own - self.everybodys
        both = [(None, self.everybodys), (self.caller, own)]
        return [Portion(caller=by, models=models) for by, models in both if models != _NONE]


EVERYTHING = Rights(caller="", permissions=frozenset(), everybodys=None, own=None)
"""Of a call where there is no access control."""


def rights_of(
    caller: str,
    roles: Iterable[Mapping[Permission, frozenset[str]]],
    permissions: frozenset[Permission],
    *,
    expire_time: float = inf,
) -> Rights:
    """What a caller's roles give to an rpc that asks for any of these permissions."""
    grants = [(permission, models) for role in roles for permission, models in role.items()]
    own = [m for permission, m in grants if permission is Permission.PREDICT]
    of_all = [
        m
        for permission, m in grants
        if permission is not Permission.PREDICT and permission in permissions
    ]
    return Rights(
        caller=caller,
        permissions=permissions,
        everybodys=_union(of_all),
        own=_union(own) if Permission.PREDICT in permissions else _NONE,
        expire_time=expire_time,
    )


def _union(granted: Iterable[frozenset[str]]) -> Models:
    models = _NONE.union(*granted)
    return None if ALL_MODELS in models else models


def _among(model: str, models: Models) -> bool:
    return models is None or model in models
