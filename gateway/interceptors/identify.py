"""Gives each call its context: who it is, until when it may take, which trace it belongs to."""

import re
from collections.abc import Awaitable, Mapping
from typing import Any
from uuid import uuid4

from gateway import call_trace
from gateway.call_trace import CallTrace
from gateway.interceptors.interceptor import Context, Handler, Rpc, deadline_of, headers_of
from gateway.request_context import RequestContext, enter
from gateway.rights import EVERYTHING
from telemetry.trace_context import parse

REQUEST_ID = "x-request-id"
_REQUEST_ID = REQUEST_ID.encode()
_SESSION = b"x-session-id"
_TRACEPARENT = b"traceparent"
_ORIGINAL_PATH = b"x-envoy-original-path"
"""Of the transcoder, which makes gRPC of REST; no client can send it."""
_GRPC_WEB = b"x-grpc-web"
"""Clients of gRPC-Web send it."""

_PLAIN = re.compile(rb"[!-~]{1,128}")
_ODD = re.compile(rb"[^!-~]")


def identify(rpc: Rpc, handler: Handler) -> Handler:
    """The first thing that must be known of a call. Envoy gives it an id and tells the client;
    without Envoy, it is done here."""

    def run(request: Any, context: Context) -> Awaitable[Any]:
        headers = headers_of(context)
        request_id = headers.get(_REQUEST_ID)
        if not request_id:
            return run_with_new_id(request, context)
        enter(_request_context(request_id, headers, context))
        return handler(request, context)

    async def run_with_new_id(request: Any, context: Context) -> Any:
        request_id = str(uuid4())
        await context.send_initial_metadata(((REQUEST_ID, request_id),))
        enter(_request_context(request_id.encode(), headers_of(context), context))
        return await handler(request, context)

    return run


def _request_context(
    request_id: bytes, headers: Mapping[bytes, bytes], context: Context
) -> RequestContext:
    if not _PLAIN.fullmatch(request_id):
        request_id = _ODD.sub(b"?", request_id[:128])
    call = call_trace.present.get()
    return RequestContext(
        request_id.decode(),
        "",
        deadline_of(context),
        _traceparent(headers, call),
        headers.get(_SESSION, b"").decode("latin-1"),
        EVERYTHING,
        _protocol(headers),
        call,
    )


def _traceparent(headers: Mapping[bytes, bytes], call: CallTrace | None) -> str:
    """What the request hands on: the caller's, where we have no span of our own in it."""
    if call is not None:
        # A trace of ours that is not recorded says nothing to anybody.
        return call.context.traceparent if call.sampled or call.is_foreign else ""
    traceparent = headers.get(_TRACEPARENT)
    if not traceparent:
        return ""
    found = parse(traceparent.decode("latin-1"))
    return found.traceparent if found else ""


def _protocol(headers: Mapping[bytes, bytes]) -> str:
    if _ORIGINAL_PATH in headers:
        return "rest"
    return "grpc-web" if _GRPC_WEB in headers else "grpc"
