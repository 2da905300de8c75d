"""The signature of Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
_LEAST, _MOST = 24, 64  # bytes, by the specification


class InvalidSecret(ValueError):
    """A secret that is none. The message does not repeat it."""


def read_secret(text: str) -> bytes:
    """The key in "whsec_" and base64. Raises InvalidSecret."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or not _LEAST <= len(key) <= _MOST:
        raise InvalidSecret(f"a secret is {PREFIX} and {_LEAST} to {_MOST} bytes in base64")
    return key


def signed_headers(
    keys: Sequence[bytes], *, message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """The three headers that a receiver checks. timestamp: of this attempt, in seconds.

    keys: at least one; with several, as while one replaces another, a receiver may know any.
    """
    content = b".".join((message_id.encode(), str(timestamp).encode(), body))
    digests = (hmac.digest(key, content, hashlib.sha256) for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(d).decode()}" for d in digests),
    }
