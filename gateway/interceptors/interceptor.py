"""The shape of an interceptor.

Every rpc, unary or streaming, is one coroutine function here: it takes the request, or the iterator
of requests, and the context of the call; it returns the response, or None once it has written all.
An interceptor makes another such function of one, once, when the rpc is registered. Where it has
nothing to do afterwards it may return what the handler returns; the outermost is a coroutine.

def log_slow(rpc: Rpc, handler: Handler) -> Handler:
    async def run(request: Any, context: Context) -> Any:
        started = time.monotonic()
        try:
            return await handler(request, context)
        finally:
            if time.monotonic() - started > 1:
                log.info("%s was slow", rpc.name)

    return run
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import grpc

from gateway import grpc_asgi

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Awaitable[Any]]


class Rpc(NamedTuple):
    """Which rpc it is."""

    service: str
    """Its full name, such as "predict.v1.PredictionService"."""
    method: str

    @property
    def name(self) -> str:
        """As OpenTelemetry writes it: "predict.v1.PredictionService/Predict", "_OTHER"."""
        return f"{self.service}/{self.method}" if self.method else self.service

    @property
    def path(self) -> str:
        """As gRPC sends it: "/predict.v1.PredictionService/Predict"."""
        return f"/{self.service}/{self.method}"


Interceptor = Callable[[Rpc, Handler], Handler]


def code_of(context: Context) -> grpc.StatusCode:
    """The code that a call has so far: OK where its handler has set none."""
    code: Any = context.code()
    if code is None:
        return grpc.StatusCode.OK
    # grpc.aio answers with the number.
    return _CODES[code] if isinstance(code, int) else code


def headers_of(context: Context) -> Mapping[bytes, bytes]:
    """What came with a call, by names in lower case; of those with one name, the last."""
    if isinstance(context, grpc_asgi.Call):  # which need not make metadata of them
        return context.headers
    return {
        key.encode(): value.encode("latin-1") if isinstance(value, str) else value
        for key, value in context.invocation_metadata() or ()
    }


def deadline_of(context: Context) -> float | None:
    """When a call is ended, on the clock of the event loop in seconds; None: it is not."""
    if isinstance(context, grpc_asgi.Call):  # which need not read the clock
        return context.deadline
    left_s: float | None = context.time_remaining()
    return None if left_s is None else asyncio.get_running_loop().time() + left_s


_CODES = {code.value[0]: code for code in grpc.StatusCode}
