"""What a caller is told whom Envoy refuses: the errors of the application, over each protocol."""

from typing import Any

from contract.access import PERMISSIONS
from contract.access_errors import KeysUnavailable, PermissionDenied, Unauthenticated
from gateway.envoy.authorization import CRITICAL, NOBODY, rule_of
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
        *replies(_WITHOUT_KEYS, KeysUnavailable()),
        *replies(_BY_JWT, Unauthenticated(), _BEARER),
        *(
            reply
            for rule in (CRITICAL, NOBODY)
            for reply in replies(_by(rule), Unauthenticated(), _BEARER)
        ),
        *(
            reply
            for permissions in dict.fromkeys(PERMISSIONS.values())
            for reply in replies(_by(rule_of(permissions)), PermissionDenied(permissions))
        ),
    ]


def _by(rule: str) -> str:
    """Whether this rule of authorization.py is what refuses."""
    return f'response.code_details == "rbac_access_denied_matched_policy[{rule}]"'
