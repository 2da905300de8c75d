"""Envoy's own replies, for REST callers in the form of every other error: a google.rpc.Status.

Native gRPC callers keep what Envoy makes for them. The REST front filter's refusals and /healthz
are replies of Envoy too, and stay as they are; so does what the transcoder says of a value that it
refuses, for the REST front filter to read.
"""

from collections.abc import Sequence
from typing import Any

from predict.v1.error_reason_pb2 import ErrorReason

from contract.reasons import DOMAIN, grpc_code, reason_name
from gateway.envoy.reply import REQUEST_ID, condition

# The transcoder makes gRPC of a REST request; the header that it leaves, no client can send.
IS_ERROR_TO_REST_CALLER = (
    'response.code_details != "lua_response"'
    ' && !response.code_details.startsWith("health_check")'
    ' && !(response.code == 400 && response.code_details.contains("grpc_json_transcode_failure"))'
    ' && ("x-envoy-original-path" in request.headers'
    ' || !("content-type" in request.headers)'
    ' || !request.headers["content-type"].startsWith("application/grpc"))'
)


def local_reply_config(
    first: Sequence[dict[str, Any]], *, max_body_bytes: int, max_header_bytes: int
) -> dict[str, Any]:
    """What each HTTP status means that Envoy may answer with by itself; the first match counts.

    first: mappers of replies that more than their status tells of.
    """
    too_large = f"the body is larger than {max_body_bytes} bytes"
    limit = {"max_bytes": str(max_body_bytes)}
    headers = {"max_bytes": str(max_header_bytes)}
    mappers = [
        *first,
        _mapper(400, ErrorReason.ERROR_REASON_MALFORMED_MESSAGE, "the request is malformed"),
        _mapper(408, ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED, "the request came too slowly"),
        _mapper(413, ErrorReason.ERROR_REASON_MESSAGE_TOO_LARGE, too_large, limit),
        _mapper(
            431, ErrorReason.ERROR_REASON_MESSAGE_TOO_LARGE, "the headers are too large", headers
        ),
        _mapper(None, ErrorReason.ERROR_REASON_INTERNAL, "an internal error"),
    ]
    return {"mappers": mappers}


def _mapper(
    status: int | None, reason: ErrorReason, message: str, metadata: dict[str, str] | None = None
) -> dict[str, Any]:
    is_status = f"response.code == {status} && " if status else ""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason_name(reason),
        "domain": DOMAIN,
        "metadata": metadata or {},
    }
    return {
        "filter": condition(is_status + IS_ERROR_TO_REST_CALLER),
        "headers_to_add": [REQUEST_ID],
        "body_format_override": {
            "content_type": "application/json",
            "json_format": {
                "code": grpc_code(reason).value[0],
                "message": message,
                "details": [info],
            },
        },
    }
