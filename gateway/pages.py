"""Pages of a list: how long one is, and the token of the next, bound to the list's conditions."""

import base64
import hashlib
import uuid
from collections.abc import Callable
from typing import TypeVar

from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import InvalidArgument

MAX_SIZE = 1000
DEFAULT_SIZE = 50
Key = TypeVar("Key")


def size_to_use(page_size: int) -> int:
    """How many items a page has at the most. page_size: 0 for the default, never negative."""
    return min(page_size or DEFAULT_SIZE, MAX_SIZE)


def encode_token(last: str, conditions: object) -> str:
    """The token that asks for what comes after `last`, the key of a page's last item.

    conditions: what the list is filtered by; its repr names them all.
    """
    return base64.urlsafe_b64encode(_digest(conditions) + last.encode()).decode()


def decode(token: str, conditions: object, read: Callable[[str], Key]) -> Key | None:
    """The key after which the page starts; None for the first page.

    read: raises ValueError for what is no key, as clients may make one up. Raises InvalidArgument
    for a token that was not made for these conditions.
    """
    if not token:
        return None
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        if raw[:8] == _digest(conditions):
            return read(raw[8:].decode())
    except (ValueError, TypeError):
        pass
    raise InvalidArgument(
        ErrorReason.ERROR_REASON_INVALID_PAGE_TOKEN,
        "page_token",
        "is not a token that this list gave for these conditions",
    )


def decode_token(token: str, conditions: object) -> str | None:
    """As decode, of a list whose keys may be any text."""
    return decode(token, conditions, str)


def decode_id(token: str, conditions: object) -> str | None:
    """As decode, of a list whose keys are UUIDs."""
    return decode(token, conditions, lambda last: str(uuid.UUID(last)))


def _digest(conditions: object) -> bytes:
    return hashlib.sha256(repr(conditions).encode()).digest()[:8]
