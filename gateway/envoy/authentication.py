"""Who calls: Envoy verifies the caller's token, and hands on what it says."""

import json
from pathlib import Path
from typing import Any

from contract.access import OPEN, Tokens
from gateway.envoy.access_paths import OPEN_PATHS
from gateway.envoy.http_filter import TYPES, full_name
from gateway.verified_token import CLOCK_SKEW_S, ISSUER_HEADER, ROLES_HEADER

IDENTITY_HEADERS = (
    "x-pmesh-",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
    "x-auth-request-",
    "x-remote-",
    "remote-user",
)
"""How headers begin in which proxies say who calls; a client may not send them."""
TOKEN = f"{full_name('jwt_authn')}:token"
"""Where the access log finds what a verified token says."""
_ONE_TOKEN = [
    {"name": "authorization", "string_match": {"prefix": "Bearer "}},
    {"name": "authorization", "string_match": {"contains": ","}, "invert_match": True},
]
"""Not two, of which one would count here and the other elsewhere: Envoy matches the values of all
headers of a name as one, with commas between them."""
_PROVIDER = "issuer"
_NO_PROVIDER = "none"
"""Whose tokens nobody can send: whatever else a request has for a token is refused."""
_CACHED_TOKENS = 10_000
_TYPE = f"{TYPES}.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
_NAME = full_name("jwt_authn")
_NO_KEYS = {"http_uri": {"uri": "http://nowhere/", "cluster": "nowhere", "timeout": "1s"}}


def authenticate(tokens: Tokens, file: Path) -> dict[str, Any]:
    """The filter. What it knows of the issuer is in a file, and it takes in each new one.

    With other keys come no remembered tokens: else one that was good once would outlive its key.
    """
    return {
        "name": _NAME,
        "config_discovery": {
            "config_source": {
                "path_config_source": {
                    "path": str(file),
                    "watched_directory": {"path": str(file.parent)},
                },
                "resource_api_version": "V3",
            },
            "type_urls": [_TYPE],
            "default_config": _config(tokens, ""),
        },
    }


def write_keys(tokens: Tokens, keys: str, file: Path, *, tells_log: bool = False) -> None:
    """Make the file, or another one of it. keys: a JSON Web Key Set, or "" for none yet.

    tells_log: whether the access log is to find what tokens say.
    """
    config = {
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": _NAME,
        "typed_config": _config(tokens, keys, tells_log=tells_log),
    }
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"resources": [config]}))
    new.replace(file)  # which is what Envoy looks for


def has_keys(file: Path) -> bool:
    """Whether this is a file of write_keys() with keys in it."""
    (config,) = json.loads(file.read_text())["resources"]
    return "local_jwks" in config["typed_config"]["providers"][_PROVIDER]


def _config(tokens: Tokens, keys: str, *, tells_log: bool = False) -> dict[str, Any]:
    provider = {
        "issuer": tokens.issuer,
        "audiences": [tokens.audience],
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        # The application reads the token, once it is told that this is a good one.
        "forward": True,
        "claim_to_headers": [
            {"header_name": ISSUER_HEADER, "claim_name": "iss"},
            {"header_name": ROLES_HEADER, "claim_name": tokens.roles_claim},
        ],
        "require_expiration": True,
        "clock_skew_seconds": CLOCK_SKEW_S,
        "jwt_cache_config": {"jwt_cache_size": _CACHED_TOKENS},
        **({"payload_in_metadata": "token"} if tells_log else {}),
        **({"local_jwks": {"inline_string": keys}} if keys else {"remote_jwks": _NO_KEYS}),
    }
    verified = {"provider_name": _PROVIDER}
    if_any = {"requires_any": {"requirements": [verified, {"allow_missing_or_failed": {}}]}}
    rules = [
        *({"match": {"path": path}} for path in OPEN_PATHS),
        *(
            {"match": {"path": path, "headers": _ONE_TOKEN}, "requires": if_any}
            for path in sorted(OPEN)
        ),
        *({"match": {"path": path}} for path in sorted(OPEN)),
        {"match": {"prefix": "/", "headers": _ONE_TOKEN}, "requires": verified},
        {"match": {"prefix": "/"}, "requires": {"provider_name": _NO_PROVIDER}},
    ]
    # Without keys, and from a header that is dropped from every request before.
    nobody = {
        "from_headers": [{"name": f"{ISSUER_HEADER}-none"}],
        "remote_jwks": _NO_KEYS,
    }
    providers = {_PROVIDER: provider, _NO_PROVIDER: nobody}
    return {"@type": _TYPE, "providers": providers, "rules": rules}
