"""Who may call, as this gateway's Envoy is told: by an access policy, and by the issuer's keys."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from contract.access import AccessPolicy, read_policy
from gateway.envoy.authentication import write_keys
from gateway.envoy.keys import FetchedKeys, check


class Access(NamedTuple):
    """What the filters are made of."""

    policy: AccessPolicy
    keys: Path
    """Where Envoy finds the keys, and each new set of them."""


def open_access(policy_file: Path, directory: Path, *, refresh_s: float) -> Access:
    """Read the policy and the keys; those at a URL are fetched again and again from now on.

    directory: where Envoy will find them; for nothing else. Raises OSError; ValueError, which says
    what is wrong.
    """
    policy = read_policy(policy_file)
    tokens, file = policy.tokens, directory / "jwt_authn.json"
    if urlsplit(tokens.jwks).scheme in ("http", "https"):
        write_keys(tokens, "", file)
        FetchedKeys(
            tokens.jwks,
            refresh_s=refresh_s,
            changed=lambda keys: write_keys(tokens, keys, file),
        ).start()
    else:
        keys = Path(tokens.jwks).read_text(encoding="utf-8")
        try:
            check(keys)
        except ValueError as error:
            raise ValueError(f"{tokens.jwks}: {error}") from error
        write_keys(tokens, keys, file)
    return Access(policy, file)
