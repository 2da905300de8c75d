"""Counts calls, and how long they took."""

import asyncio
from time import perf_counter
from typing import Any

import grpc

from gateway import call_trace
from gateway.interceptors.interceptor import Context, Handler, Interceptor, Rpc, code_of
from gateway.metrics.calls import Calls


def measure(calls: Calls) -> Interceptor:
    """Counts each call by its rpc and its code."""

    def intercept(rpc: Rpc, handler: Handler) -> Handler:
        series = calls.of(rpc.name)

        async def run(request: Any, context: Context) -> Any:
            started = perf_counter()
            series.active += 1
            try:
                response = await handler(request, context)
            except BaseException as error:
                series.end(code_of_failure(context, error), perf_counter() - started, exemplar())
                raise
            series.end(code_of(context), perf_counter() - started, exemplar())
            return response

        return run

    return intercept


def exemplar() -> str:
    """The trace in which the present call is to be seen; empty: it is in none."""
    call = call_trace.present.get()
    return call.exemplar if call is not None else ""


def code_of_failure(context: Context, error: BaseException) -> grpc.StatusCode:
    """What the client sees of a call that did not return."""
    code = code_of(context)
    if code is not grpc.StatusCode.OK:
        return code
    if isinstance(error, asyncio.CancelledError):
        over = context.time_remaining() == 0
        return grpc.StatusCode.DEADLINE_EXCEEDED if over else grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN
