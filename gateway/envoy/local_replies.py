"""Envoy's own replies, for REST callers in the form of every other error: a google.rpc.Status.

Native gRPC callers keep what Envoy makes for them. The REST front filter's refusals and /healthz
are replies of Envoy too, and stay as they are; so does what the transcoder says of a value that it
refuses, for the REST front filter to read.
"""

from collections.abc import Sequence
from typing import Any

from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import PredictError
from gateway.envoy.reply import REQUEST_ID, condition, json_body

# The transcoder makes gRPC of a REST request; the header that it leaves, no client can send.
IS_ERROR_TO_REST_CALLER = (
    'response.code_details != "lua_response"'
    ' && !response.code_details.startsWith("health_check")'
    ' && !(response.code == 400 && response.code_details.contains("grpc_json_transcode_failure"))'
    ' && ("x-envoy-original-path" in request.headers'
    ' || !("content-type" in request.headers)'
    ' || !request.headers["content-type"].startsWith("application/grpc"))'
)


class _EnvoyRefused(PredictError):
    """What Envoy does not let in, or cannot do."""

    def __init__(self, reason: ErrorReason, message: str, **metadata: object) -> None:
        super().__init__(message, **metadata)
        self.reason = reason


def local_reply_config(
    first: Sequence[dict[str, Any]], *, max_body_bytes: int, max_header_bytes: int
) -> dict[str, Any]:
    """What each HTTP status means that Envoy may answer with by itself; the first match counts.

    first: mappers of replies that more than their status tells of.
    """
    malformed = _EnvoyRefused(
        ErrorReason.ERROR_REASON_MALFORMED_MESSAGE, "the request is malformed"
    )
    slow = _EnvoyRefused(ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED, "the request came too slowly")
    large_body = _EnvoyRefused(
        ErrorReason.ERROR_REASON_MESSAGE_TOO_LARGE,
        f"the body is larger than {max_body_bytes} bytes",
        max_bytes=max_body_bytes,
    )
    large_headers = _EnvoyRefused(
        ErrorReason.ERROR_REASON_MESSAGE_TOO_LARGE,
        "the headers are too large",
        max_bytes=max_header_bytes,
    )
    mappers = [
        *first,
        _mapper("response.code == 408", slow),
        _mapper("response.code == 413", large_body),
        _mapper("response.code == 431", large_headers),
        # Such as HTTP/1.0, a protocol to change to, or a coding that nobody knows.
        _mapper("(response.code < 500 || response.code == 501)", malformed),
        _mapper("true", _EnvoyRefused(ErrorReason.ERROR_REASON_INTERNAL, "an internal error")),
    ]
    return {"mappers": mappers}


def _mapper(expression: str, error: PredictError) -> dict[str, Any]:
    """Its HTTP status is the reply's own."""
    return {
        "filter": condition(f"{expression} && {IS_ERROR_TO_REST_CALLER}"),
        "headers_to_add": [REQUEST_ID],
        "body_format_override": json_body(error),
    }
