"""Tokens as the issuer of the mesh would make them, by a key of the tests' own."""

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_NUMBERS = _KEY.public_key().public_numbers()


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


JWKS = {
    "keys": [
        {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": "of-the-tests",
            "n": _number(_NUMBERS.n),
            "e": _number(_NUMBERS.e),
        }
    ]
}


def token(**claims: Any) -> str:
    """One that is right for an hour."""
    header = {"alg": "RS256", "typ": "JWT", "kid": "of-the-tests"}
    now = int(time.time())
    parts = (header, {"iat": now, "exp": now + 3600, **claims})
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{_encoded(_KEY.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"
