"""Every role by every rpc by every protocol: what is called, and whether it may be.

Whoever decides is a function of a cell: the rendered policies, or a gateway that runs.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from contract.access import OPEN, PERMISSIONS, AccessPolicy
from gateway.envoy.descriptors import bindings, load_descriptors, method_and_path, rest_methods

NO_TOKEN = "no token"  # noqa: S105 -- a role
NO_ROLE = "a token without roles"
NO_SUBJECT = "a token without a subject"
UNKNOWN_ROLE = "somebody"
"""A role that no policy has."""
_VALUES = {"model": "sentiment", "version": "7"}
_ID = "0198c2a4-7d3e-7cc1-8a55-5f0e2d9b6c11"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One call by one role."""

    role: str
    """Of the policy, or one of the above."""
    rpc: str
    """Its path in gRPC."""
    protocol: str
    """gRPC, gRPC-Web or REST."""
    method: str
    path: str


Decide = Callable[[Cell], bool]
"""Whether a call is let through to the application."""


def cells(policy: AccessPolicy) -> Iterator[Cell]:
    """All of them."""
    rest = list(_rest())
    for role in (*policy.roles, UNKNOWN_ROLE, NO_ROLE, NO_SUBJECT, NO_TOKEN):
        for rpc in (*PERMISSIONS, *sorted(OPEN)):
            for protocol in ("gRPC", "gRPC-Web"):
                yield Cell(role=role, rpc=rpc, protocol=protocol, method="POST", path=rpc)
        for rpc, method, path in rest:
            yield Cell(role=role, rpc=rpc, protocol="REST", method=method, path=path)


def may_call(policy: AccessPolicy, cell: Cell) -> bool:
    """What contract.access says: any permission of the rpc, for any model."""
    if cell.rpc in OPEN:
        return True
    grants = policy.roles.get(cell.role, {})
    return any(grants.get(permission) for permission in PERMISSIONS[cell.rpc])


def disagreements(policy: AccessPolicy, decide: Decide) -> list[Cell]:
    """The cells that are decided otherwise."""
    return [cell for cell in cells(policy) if decide(cell) != may_call(policy, cell)]


def _rest() -> Iterator[tuple[str, str, str]]:
    for service, rpc, http in rest_methods(load_descriptors()):
        for rule in bindings(http):
            method, template = method_and_path(rule)
            path = re.sub(r"\{(\w+)\}", lambda field: _VALUES.get(field[1], _ID), template)
            yield f"/{service}/{rpc.name}", method, path
