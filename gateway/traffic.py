"""Which version of a model answers a request: the one that it names, or the policy's choice."""

import hashlib
from collections.abc import Mapping

from contract.errors import ModelNotFound, ModelNotReleased, VersionNotFound
from gateway.store.catalog import Model

WHOLE = 10_000  # basis points, hundredths of a percent


def find_model(models: Mapping[str, Model], model: str) -> Model:
    """The model of this id. Raises ModelNotFound."""
    known = models.get(model)
    if known is None:
        raise ModelNotFound(model)
    return known


def choose_version(model: Model, *, pinned: str, sticky_key: str) -> str:
    """The pinned version, or the one that the traffic policy gives to this key.

    pinned: "" for none. Raises VersionNotFound, ModelNotReleased.
    """
    if pinned:
        if not model.serves(pinned):
            raise VersionNotFound(model.id, pinned)
        return pinned
    if not model.traffic:
        raise ModelNotReleased(model.id)
    if len(model.traffic) == 1:
        return next(iter(model.traffic))
    return _split(model.traffic, sticky_key)


def _split(traffic: Mapping[str, int], sticky_key: str) -> str:
    """The version whose share of 0..9999 holds the key's hash; the same for the same key."""
    digest = hashlib.blake2b(sticky_key.encode(), digest_size=8).digest()
    rest, percent = divmod(int.from_bytes(digest, "big"), 100)
    # The percent first: where shares are whole ones, a key has the version that it always had.
    point = 100 * percent + rest % 100
    for version, share in sorted(traffic.items(), key=lambda share: int(share[0])):
        point -= share
        if point < 0:
            return version
    raise ValueError("the shares of a traffic policy add up to 10,000")
