"""What a caller is told whom Envoy refuses: the errors of the application, over each protocol."""

import base64
import json
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from contract.access_errors import KeysUnavailable, PermissionDenied, Unauthenticated
from contract.errors import MethodNotFound, PathNotFound, PredictError
from contract.reasons import http_status
from contract.status import to_json, to_status
from gateway.envoy.access_paths import ANY_SEGMENT, RestPath
from gateway.envoy.authorization import UNUSABLE, Asked, all_asked
from gateway.envoy.reply import REQUEST_ID, condition

Header = dict[str, Any]

_PATH = "%PATH(NQ)%"
_IS_GRPC = (
    '"content-type" in request.headers'
    ' && request.headers["content-type"].startsWith("application/grpc")'
)
_BY_JWT = 'response.code_details.startsWith("jwt_authn_access_denied")'
_BY_RBAC = 'response.code_details.startsWith("rbac_access_denied")'
_WITHOUT_KEYS = f'{_BY_JWT} && response.code_details.contains("Jwks_remote_fetch")'
_UNUSABLE = f'{_BY_RBAC} && response.code_details.contains("[{UNUSABLE}")'
_BEARER = {
    "header": {"key": "www-authenticate", "value": "Bearer"},
    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
}


def access_replies(descriptors: FileDescriptorSet) -> list[dict[str, Any]]:
    """The mappers; the first match counts."""
    return [
        *_replies(_WITHOUT_KEYS, KeysUnavailable()),
        *_replies(_BY_JWT, Unauthenticated(), _BEARER),
        *_replies(_UNUSABLE, Unauthenticated(), _BEARER),
        *(
            reply
            for asked in all_asked(descriptors)
            for reply in _replies(
                f"{_BY_RBAC} && ({_is_at(asked)})", PermissionDenied(asked.permissions)
            )
        ),
        _to_grpc(_BY_RBAC, MethodNotFound(_PATH)),
        _to_rest(_BY_RBAC, PathNotFound(_PATH)),
    ]


def _replies(expression: str, error: PredictError, *headers: Header) -> list[dict[str, Any]]:
    """For gRPC, and for what else comes: REST."""
    return [
        _to_grpc(expression, error, *headers, _details(error)),
        _to_rest(expression, error, *headers),
    ]


def _to_grpc(expression: str, error: PredictError, *headers: Header) -> dict[str, Any]:
    """Envoy makes the status for gRPC of that for HTTP."""
    return {
        "filter": condition(f"{expression} && {_IS_GRPC}"),
        "status_code": http_status(error.reason),
        "headers_to_add": [REQUEST_ID, *headers],
        "body_format_override": {"text_format_source": {"inline_string": str(error)}},
    }


def _to_rest(expression: str, error: PredictError, *headers: Header) -> dict[str, Any]:
    return {
        "filter": condition(expression),
        "status_code": http_status(error.reason),
        "headers_to_add": [REQUEST_ID, *headers],
        "body_format_override": {
            "content_type": "application/json",
            "json_format": json.loads(to_json(error)),
        },
    }


def _details(error: PredictError) -> Header:
    """As base64 without padding: https://grpc.io/docs/guides/metadata/."""
    details = base64.b64encode(to_status(error).SerializeToString()).decode().rstrip("=")
    return {
        "header": {"key": "grpc-status-details-bin", "value": details},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _is_at(asked: Asked) -> str:
    """Whether a request is one of these."""
    conditions = [f"request.url_path in {json.dumps(list(asked.rpcs))}", *map(_is_rest, asked.rest)]
    return " || ".join(conditions)


def _is_rest(rest: RestPath) -> str:
    but = "".join(f" && !({_matches(pattern)})" for pattern in rest.but)
    return f"(request.method == {json.dumps(rest.method)} && {_matches(rest.path)}{but})"


def _matches(pattern: str) -> str:
    if pattern.startswith("*"):
        return f"request.url_path.endsWith({json.dumps(pattern[1:])})"
    if ANY_SEGMENT not in pattern:
        return f"request.url_path == {json.dumps(pattern)}"
    regex = pattern.replace(ANY_SEGMENT, "[^/]+")
    return f"request.url_path.matches({json.dumps(f'^{regex}$')})"
