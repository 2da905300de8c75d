"""The issuer of tokens of a local stack: a key in its data directory, and who may what with it."""

import getpass
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from contract.access import AccessPolicy, read_policy
from gateway.interceptors.name_caller import NAME
from pmesh.mesh_file import MESH, read_mesh
from pmesh.stack.home import Home
from pmesh.stack.model_list import ModelEntry

_ALGORITHM = "ES256"
_ISSUER = "pmesh up"
HOUR_S = 3600


class Issuer:
    """Of one data directory."""

    def __init__(self, home: Home) -> None:
        self._home = home

    @property
    def is_there(self) -> bool:
        """Whether the stack was last started with it."""
        return self._home.access.exists()

    def leave(self) -> None:
        """Start without it. Raises OSError."""
        self._home.access.unlink(missing_ok=True)

    def write_policy(self, models: Sequence[ModelEntry]) -> Path:
        """The access policy: mesh.yaml's, with this issuer instead. Raises InvalidMesh, OSError."""
        key = ECKey.import_key(json.loads(self._home.private("token-key.json", _new_key)))
        keys = self._home.path / "jwks.json"
        keys.write_text(json.dumps(KeySet([key]).as_dict(private=False)), encoding="utf-8")
        policy = read_mesh(MESH).access(models)
        tokens = replace(policy.tokens, issuer=_ISSUER, jwks=str(keys))
        policy = replace(policy, tokens=tokens)
        self._home.access.write_text(json.dumps(policy.as_json(), indent=2), encoding="utf-8")
        return self._home.access

    def policy(self) -> AccessPolicy:
        """As it was written last. Raises OSError, ValueError."""
        return read_policy(self._home.access)

    def token(self, *, roles: Sequence[str] | None = None, subject: str = "", ttl_s: int) -> str:
        """A token. Raises OSError; ValueError, also for a subject that no caller can be called.

        roles: all that there are if not given. subject: the user of this process if not given.
        """
        caller = subject or getpass.getuser()
        if not NAME.fullmatch(caller):
            raise ValueError(
                f"{caller!r} is no name of a caller: 1 to 256 printable ASCII characters, without"
                " spaces around them"
            )
        policy = self.policy()
        key = ECKey.import_key(json.loads(self._home.private("token-key.json", _new_key)))
        now = int(time.time())
        claims = {
            "iss": policy.tokens.issuer,
            "aud": policy.tokens.audience,
            "sub": caller,
            policy.tokens.roles_claim: list(policy.roles if roles is None else roles),
            "iat": now,
            "exp": now + ttl_s,
        }
        return jwt.encode({"alg": _ALGORITHM, "kid": key.kid}, claims, key)


def _new_key() -> str:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": _ALGORITHM}, auto_kid=True)
    return json.dumps(key.as_dict(private=True))
