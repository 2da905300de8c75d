"""Gives each call its part of the trace, and sends its spans once it is over."""

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
from gateway.interceptors.measure import code_of_failure
from telemetry.spans import Tracer


def trace(tracer: Tracer, *, unbounded: Container[str]) -> Interceptor:
    """To be the outermost. unbounded: paths of rpcs that may last, and so are never slow."""

    def intercept(rpc: Rpc, handler: Handler) -> Handler:
        may_last = rpc.path in unbounded
        system = {"rpc.system.name": "grpc", "rpc.method": rpc.name}

        def end(call: CallTrace, code: grpc.StatusCode) -> None:
            seconds = perf_counter() - call.began
            error = code.name if code in FAULTS else ""
            if code is grpc.StatusCode.OK:
                error = call.fault
            if not call.sampled and not error and (may_last or not tracer.is_slow(seconds)):
                return
            attributes = {**system, "rpc.response.status_code": code.name}
            request = request_context.current()
            attributes["pmesh.protocol"] = request.protocol
            if request.caller:
                attributes["pmesh.caller"] = request.caller
            own, *parts = call.spans(rpc.name, attributes, error=error, seconds=seconds)
            tracer.finish(own, parts)

        async def run(request: Any, context: Context) -> Any:
            call = begin(tracer.sampler, headers_of(context))
            try:
                response = await handler(request, context)
            except BaseException as error:
                end(call, code_of_failure(context, error))
                raise
            end(call, code_of(context))
            return response

        return run

    return intercept
