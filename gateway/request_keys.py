"""What a request_id is kept under: it belongs to its caller, and another's is another request."""

from hashlib import sha256
from uuid import UUID

_OURS = "8"
"""The version of the UUIDs made here (RFC 9562, section 5.8)."""


def request_key(caller: str, request_id: str) -> str:
    """A UUID for each pair of caller and request_id; "" for none.

    request_id: "" or a canonical UUID. That of a caller without a name is its own key, unless it is
    of the version of those made here, which nobody may choose.
    """
    if not request_id or (not caller and request_id[14] != _OURS):
        return request_id
    digits = UUID(bytes=sha256(f"{request_id} {caller}".encode()).digest()[:16], version=4).hex
    return str(UUID(f"{digits[:12]}{_OURS}{digits[13:]}"))
