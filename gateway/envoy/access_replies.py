"""What a caller is told whom Envoy refuses: the errors of the application, over each protocol."""

from typing import Any

from contract.access_errors import KeysUnavailable, Unauthenticated
from gateway.envoy.reply import replies

_BY_JWT = 'response.code_details.startsWith("jwt_authn_access_denied")'
_WITHOUT_KEYS = f'{_BY_JWT} && response.code_details.contains("Jwks_remote_fetch")'
_BEARER = {
    "header": {"key": "www-authenticate", "value": "Bearer"},
    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
}


def access_replies() -> list[dict[str, Any]]:
    """The mappers; the first match counts."""
    return [
        *replies(_WITHOUT_KEYS, KeysUnavailable(), _BEARER),  # Envoy would say: an invalid token
        *replies(_BY_JWT, Unauthenticated(), _BEARER),
    ]
