"""Gives each call its context: who it is, until when it may take, which trace it belongs to."""

import re
from typing import Any
from uuid import uuid4

from gateway.interceptors.interceptor import Context, Handler, Rpc, deadline_of
from gateway.request_context import RequestContext, enter

REQUEST_ID = "x-request-id"
TRACEPARENT = "traceparent"

_PLAIN_ID = re.compile(r"[!-~]{1,128}")
_ODD = re.compile(r"[^!-~]")
# https://www.w3.org/TR/trace-context/#traceparent-header: of version 00, no id all zeros.
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def identify(rpc: Rpc, handler: Handler) -> Handler:
    """The first thing that must be known of a call. Envoy gives it an id and tells the client;
    without Envoy, it is done here."""

    async def run(request: Any, context: Context) -> Any:
        metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
        request_id = metadata.get(REQUEST_ID)
        if not request_id:
            request_id = str(uuid4())
            await context.send_initial_metadata(((REQUEST_ID, request_id),))
        elif not _PLAIN_ID.fullmatch(request_id):
            request_id = _ODD.sub("?", request_id[:128])
        traceparent = metadata.get(TRACEPARENT, "")
        if traceparent and not _TRACEPARENT.fullmatch(traceparent):
            traceparent = ""
        enter(RequestContext(request_id, "", deadline_of(context), traceparent))
        return await handler(request, context)

    return run
