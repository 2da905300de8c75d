"""What mappers of Envoy's own replies are made of."""

import base64
import json
from typing import Any

from grpc import StatusCode

from contract.errors import PredictError
from contract.reasons import http_status
from contract.status import to_json, to_status

Header = dict[str, Any]

# Of what could not be read as a request and so has none; every other reply has its request's.
REQUEST_ID = {
    "header": {"key": "x-request-id", "value": "%UNIQUE_ID%"},
    "append_action": "ADD_IF_ABSENT",
}


def _is_of(kind: str) -> str:
    """Whether the request has a content type that begins so, in CEL."""
    return (
        f'"content-type" in request.headers && request.headers["content-type"].startsWith("{kind}")'
    )


def condition(expression: str) -> dict[str, Any]:
    """When a mapper applies, in CEL."""
    kind = "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    config = {"@type": f"type.googleapis.com/{kind}", "expression": expression}
    name = "envoy.access_loggers.extension_filters.cel"
    return {"extension_filter": {"name": name, "typed_config": config}}


def json_body(error: PredictError) -> dict[str, Any]:
    """The Status as the body."""
    return {"content_type": "application/json", "json_format": json.loads(to_json(error))}


def replies(expression: str, error: PredictError, *headers: Header) -> list[dict[str, Any]]:
    """The mappers by which an error is told: by gRPC, and by what else comes, which is REST.

    expression: in CEL, when. headers: that go with it.
    """
    return [
        _mapper(
            f"{expression} && {_is_of('application/grpc')}",
            error,
            {"text_format_source": {"inline_string": str(error)}},
            *headers,
            *_details(error),
        ),
        _mapper(expression, error, json_body(error), *headers),
    ]


def web_replies(expression: str, error: PredictError) -> list[dict[str, Any]]:
    """The mappers for gRPC-Web, where no filter makes it of gRPC: the body is a frame of trailers.

    They come before those of replies(). Source:
    https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
    """
    trailers = (
        f"grpc-status:{error.code.value[0]}\r\ngrpc-message:{error}\r\n"
        f"grpc-status-details-bin:{_encoded(error)}\r\n"
    ).encode()
    frame = b"\x80" + len(trailers).to_bytes(4, "big") + trailers
    return [
        _web_mapper(expression, "application/grpc-web-text", base64.b64encode(frame)),
        _web_mapper(expression, "application/grpc-web", frame),
    ]


def _web_mapper(expression: str, kind: str, body: bytes) -> dict[str, Any]:
    as_format = base64.b64encode(body.replace(b"%", b"%%")).decode()
    return {
        "filter": condition(f"{expression} && {_is_of(kind)}"),
        "status_code": 200,
        "headers_to_add": [REQUEST_ID],
        "body_format_override": {
            "content_type": f"{kind}+proto",
            "text_format_source": {"inline_bytes": as_format},
        },
    }


def _mapper(
    expression: str, error: PredictError, body: dict[str, Any], *headers: Header
) -> dict[str, Any]:
    return {
        "filter": condition(expression),
        "status_code": http_status(error.reason),
        "headers_to_add": [REQUEST_ID, *headers],
        "body_format_override": body,
    }


def _details(error: PredictError) -> list[Header]:
    """The Status beside its code and message.

    None of INVALID_ARGUMENT: Envoy makes the code for gRPC of that for HTTP, INTERNAL of 400, and
    clients take no details of another code.
    """
    if error.code is StatusCode.INVALID_ARGUMENT:
        return []
    return [
        {
            "header": {"key": "grpc-status-details-bin", "value": _encoded(error)},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
    ]


def _encoded(error: PredictError) -> str:
    """Base64 without padding: https://grpc.io/docs/guides/metadata/."""
    return base64.b64encode(to_status(error).SerializeToString()).decode().rstrip("=")
