"""The token of a call, which Envoy has verified: what it says, and for how long it is good."""

import base64
import re
from typing import Any

import orjson

from contract.access_errors import Unauthenticated

ISSUER_HEADER = "x-pmesh-issuer"
"""In which Envoy says whose token it has verified; it drops a client's own."""
CLOCK_SKEW_S = 30
"""A token is good for so long after its end: where a call begins, and where one lasts."""
_BEARER = re.compile(rb"Bearer ([\w-]+)\.([\w-]+)\.[\w-]+")


def claims_of(authorization: bytes) -> dict[str, Any]:
    """What the token in this header says of its bearer.

    Raises Unauthenticated for one that is not good for us though its signature is.
    """
    if not (parts := _BEARER.fullmatch(authorization)):
        raise Unauthenticated
    header, claims = map(_object, parts.groups())
    # Whoever does not know what is critical must refuse it, and we know nothing of the kind:
    # https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11
    if "crit" in header:
        raise Unauthenticated
    return claims


def _object(encoded: bytes) -> dict[str, Any]:
    padding = b"=" * (-len(encoded) % 4)
    try:
        said = orjson.loads(base64.b64decode(encoded + padding, altchars=b"-_", validate=True))
    except ValueError:
        raise Unauthenticated from None
    if not isinstance(said, dict):
        raise Unauthenticated
    return said
