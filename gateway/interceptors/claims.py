"""What a token says: a JSON Web Token whose signature is known to be good."""

import base64
import re
from typing import Any

import orjson

from contract.access_errors import Unauthenticated

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
