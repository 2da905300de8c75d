"""Page tokens: where a list goes on, bound to the conditions that it was made for."""

import base64
import hashlib

from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import InvalidArgument


def encode_token(last: str, conditions: object) -> str:
    """The token that asks for what comes after `last`, the key of a page's last item.

    conditions: what the list is filtered by; its repr names them all.
    """
    return base64.urlsafe_b64encode(_digest(conditions) + last.encode()).decode()


def decode_token(token: str, conditions: object) -> str | None:
    """The key after which the page starts; None for the first page.

    Raises InvalidArgument for a token that was not made for these conditions.
    """
    if not token:
        return None
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        if raw[:8] == _digest(conditions):
            return raw[8:].decode()
    except ValueError:
        pass
    raise InvalidArgument(
        ErrorReason.ERROR_REASON_INVALID_PAGE_TOKEN,
        "page_token",
        "is not a token that this list gave for these conditions",
    )


def _digest(conditions: object) -> bytes:
    return hashlib.sha256(repr(conditions).encode()).digest()[:8]
