"""Gives each call its context: who it is, until when it may take, which trace it belongs to."""

import re
from collections.abc import Awaitable, Mapping
from typing import Any
from uuid import uuid4

from gateway.interceptors.interceptor import Context, Handler, Rpc, deadline_of, headers_of
from gateway.request_context import RequestContext, enter

REQUEST_ID = "x-request-id"
_REQUEST_ID = REQUEST_ID.encode()
_SESSION = b"x-session-id"
_TRACEPARENT = b"traceparent"

_PLAIN = re.compile(rb"[!-~]{1,128}")
_ODD = re.compile(rb"[^!-~]")
# https://www.w3.org/TR/trace-context/#traceparent-header: of version 00, no id all zeros.
_TRACE = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


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
    traceparent = headers.get(_TRACEPARENT, b"")
    if traceparent and not _TRACE.fullmatch(traceparent):
        traceparent = b""
    return RequestContext(
        request_id.decode(),
        "",
        deadline_of(context),
        traceparent.decode(),
        headers.get(_SESSION, b"").decode("latin-1"),
    )
