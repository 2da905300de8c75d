"""The shape of an interceptor.

Every rpc, unary or streaming, is one coroutine function here: it takes the request, or the iterator
of requests, and the context of the call; it returns the response, or None once it has written all.
An interceptor makes another such function of one, once, when the rpc is registered:

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

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import grpc

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Awaitable[Any]]


class Rpc(NamedTuple):
    """Which rpc it is."""

    service: str
    """Its full name, such as "predict.v1.PredictionService"."""
    method: str

    @property
    def name(self) -> str:
        """As OpenTelemetry writes it: "predict.v1.PredictionService/Predict"."""
        return f"{self.service}/{self.method}"

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


_CODES = {code.value[0]: code for code in grpc.StatusCode}
