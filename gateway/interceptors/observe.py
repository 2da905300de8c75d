"""Counts each call, gives it its part of a trace, and sends its spans once it is over."""

import asyncio
from collections.abc import Container
from time import perf_counter
from typing import Any

import grpc

from gateway import request_context
from gateway.call_trace import FAULTS, CallTrace, begin
from gateway.interceptors.interceptor import (
    Context,
    Handler,
    Interceptor,
    Rpc,
    code_of,
    headers_of,
)
from gateway.metrics.calls import Calls
from telemetry.spans import Tracer, Value


def observe(
    calls: Calls | None, tracer: Tracer | None, *, unbounded: Container[str]
) -> Interceptor:
    """To be the outermost. calls: what counts them; None: nobody. tracer: None: no spans.

    unbounded: paths of rpcs that may last, and so are never slow.
    """

    def intercept(rpc: Rpc, handler: Handler) -> Handler:
        series = calls.of(rpc.name) if calls else None
        may_last = rpc.path in unbounded

        def end(began: float, code: grpc.StatusCode, call: CallTrace | None) -> None:
            seconds = perf_counter() - began
            if series is not None:
                series.end(code, seconds, call.exemplar if call is not None else "")
            if call is None or tracer is None:
                return
            error = code.name if code in FAULTS else ""
            if code is grpc.StatusCode.OK:
                error = call.fault
            if call.sampled or error or (not may_last and tracer.is_slow(seconds)):
                own, *parts = call.spans(
                    rpc.name, _attributes(rpc, code), error=error, seconds=seconds
                )
                tracer.finish(own, parts)

        async def run(request: Any, context: Context) -> Any:
            began, call = perf_counter(), None
            if tracer is not None:
                call = begin(tracer.sampler, headers_of(context))
            if series is not None:
                series.active += 1
            try:
                response = await handler(request, context)
            except BaseException as error:
                end(began, code_of_failure(context, error), call)
                raise
            end(began, code_of(context), call)
            return response

        return run

    return intercept


def code_of_failure(context: Context, error: BaseException) -> grpc.StatusCode:
    """What the client sees of a call that did not return."""
    code = code_of(context)
    if code is not grpc.StatusCode.OK:
        return code
    if isinstance(error, asyncio.CancelledError):
        over = context.time_remaining() == 0
        return grpc.StatusCode.DEADLINE_EXCEEDED if over else grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN


def _attributes(rpc: Rpc, code: grpc.StatusCode) -> dict[str, Value]:
    request = request_context.current()
    return {
        "rpc.system.name": "grpc",
        "rpc.method": rpc.name,
        "rpc.response.status_code": code.name,
        "pmesh.protocol": request.protocol,
        **({"pmesh.caller": request.caller} if request.caller else {}),
    }
