"""Who calls: Envoy verifies the caller's token, and hands on what it says."""

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from contract.access import OPEN, Tokens
from gateway.envoy.access_paths import OPEN_PATHS
from gateway.envoy.http_filter import TYPES, http_filter

CLAIMS_HEADER = "x-pmesh-claims"
"""In which the application finds what a token says: its payload, JSON in base64url."""
CLAIMS, TOKEN_HEADER = "claims", "token_header"
"""The keys of the token's payload and header in the metadata of this filter, for those after it."""
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
_ONE_TOKEN = {
    "name": "authorization",
    "string_match": {"safe_regex": {"regex": r"Bearer [A-Za-z0-9_.-]+"}},
}
"""Not two, of which one would count here and the other elsewhere."""
_NO_AUDIENCE = ["nobody"]
"""No token is for it: whatever else a request has for a token is refused."""
_PROVIDER, _CLUSTER = "issuer", "keys"
_FETCH_S = 5
_CLOCK_SKEW_S = 30


def authenticate(tokens: Tokens, *, keys_refresh_s: int) -> dict[str, Any]:
    """The filter. Raises ValueError if the keys are in a file that cannot be read.

    It verifies each token each time: one that Envoy remembers as good outlives its key.
    """
    provider = {
        "issuer": tokens.issuer,
        "audiences": [tokens.audience],
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        "forward_payload_header": CLAIMS_HEADER,
        "payload_in_metadata": CLAIMS,
        "header_in_metadata": TOKEN_HEADER,
        "require_expiration": True,
        "clock_skew_seconds": _CLOCK_SKEW_S,
        **_keys(tokens.jwks, keys_refresh_s),
    }
    rules = [
        *({"match": {"path": path}} for path in sorted({*OPEN, *OPEN_PATHS})),
        {
            "match": {"prefix": "/", "headers": [_ONE_TOKEN]},
            "requires": {"provider_name": _PROVIDER},
        },
        {
            "match": {"prefix": "/"},
            "requires": {
                "provider_and_audiences": {"provider_name": _PROVIDER, "audiences": _NO_AUDIENCE}
            },
        },
    ]
    return http_filter(
        "jwt_authn",
        "jwt_authn.v3.JwtAuthentication",
        providers={_PROVIDER: provider},
        rules=rules,
    )


def keys_clusters(tokens: Tokens) -> list[dict[str, Any]]:
    """Where the keys are fetched; nothing if they are in a file.

    Raises ValueError if https is asked for and this machine trusts nobody.
    """
    url = _url(tokens.jwks)
    if url is None:
        return []
    port = url.port or (443 if url.scheme == "https" else 80)
    address = {"socket_address": {"address": url.hostname, "port_value": port}}
    cluster = {
        "name": _CLUSTER,
        "type": "STRICT_DNS",
        "dns_lookup_family": "ALL",
        "connect_timeout": f"{_FETCH_S}s",
        "load_assignment": {
            "cluster_name": _CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    if url.scheme == "https":
        cluster["transport_socket"] = _tls(str(url.hostname))
    return [cluster]


def _keys(jwks: str, refresh_s: int) -> dict[str, Any]:
    if _url(jwks) is None:
        try:
            return {"local_jwks": {"inline_string": Path(jwks).read_text(encoding="utf-8")}}
        except (OSError, ValueError) as error:
            raise ValueError(f"the keys of tokens cannot be read: {error}") from error
    return {
        "remote_jwks": {
            "http_uri": {"uri": jwks, "cluster": _CLUSTER, "timeout": f"{_FETCH_S}s"},
            "cache_duration": f"{refresh_s}s",
            # Ahead of calls, and what was fetched stays while nothing newer can be.
            "async_fetch": {},
        }
    }


def _url(jwks: str) -> SplitResult | None:
    url = urlsplit(jwks)
    return url if url.scheme in ("http", "https") else None


def _tls(host: str) -> dict[str, Any]:
    trusted = ssl.get_default_verify_paths().cafile
    if trusted is None:
        raise ValueError("no certificate authority is trusted here: SSL_CERT_FILE names a file")
    names = [{"san_type": "DNS", "matcher": {"exact": host}}]
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{TYPES}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": host,
            "common_tls_context": {
                "validation_context": {
                    "trusted_ca": {"filename": trusted},
                    "match_typed_subject_alt_names": names,
                }
            },
        },
    }
