"""Who may call, as this gateway's Envoy is told: by an access policy, and by the issuer's keys."""

from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from contract.access import AccessPolicy, read_policy
from gateway.envoy.authentication import write_keys
from gateway.envoy.keys import KeySource, check, fetch


class Access(NamedTuple):
    """What the filters are made of."""

    policy: AccessPolicy
    keys: Path
    """Where Envoy finds the keys, and each new set of them."""


def open_access(
    policy_file: Path, directory: Path, *, refresh_s: float, tells_log: bool = False
) -> Access:
    """Read the policy and the keys; these are read again and again from now on.

    directory: where Envoy will find them; for nothing else. tells_log: whether the access log is to
    name callers. Raises OSError; ValueError, which says what is wrong.
    """
    policy = read_policy(policy_file)
    tokens, file = policy.tokens, directory / "jwt_authn.json"
    write = partial(write_keys, tokens, file=file, tells_log=tells_log)
    if urlsplit(tokens.jwks).scheme in ("http", "https"):
        read = partial(fetch, tokens.jwks)
        write("")
    else:
        read = partial(_read, Path(tokens.jwks))
        try:
            write(read())
        except ValueError as error:
            raise ValueError(f"{tokens.jwks}: {error}") from error
    KeySource(tokens.jwks, read, refresh_s=refresh_s, changed=write).start()
    return Access(policy, file)


def _read(file: Path) -> str:
    keys = file.read_text(encoding="utf-8")
    check(keys)
    return keys
