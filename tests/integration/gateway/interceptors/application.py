"""The contract's services with the product's interceptors around them, and echoes as servicers.

`app` is what Envoy loads; as a program it serves with grpc.aio, and writes its port first.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse
from predict.v1 import prediction_service_pb2 as pb
from predict.v1 import prediction_service_pb2_grpc
from predict.v1.prediction_pb2 import Prediction

from gateway import request_context
from gateway.app import SERVICES, UNBOUNDED, interceptors
from gateway.grpc_asgi import Server
from gateway.grpc_asgi.asgi import Receive, Scope, Send
from gateway.interceptors.intercepted import Intercepted, Registrar
from gateway.interceptors.interceptor import Interceptor
from gateway.interceptors.validate import decoded, validate
from gateway.logs import log_to_stderr
from gateway.metrics.calls import Calls
from gateway.router import Router
from gateway.servicers import failures, standard
from gateway.settings import Settings
from telemetry.metrics_server import metrics_server

MAX_CALL_S = 1.0
CALLER_HEADER = "x-forwarded-user"


def around(settings: Settings, calls: Calls) -> tuple[Interceptor, ...]:
    """The gateway's list, but for the rules of fields: texts and ids are commands here."""
    listed = interceptors(settings, calls, None)
    return tuple(decoded if one is validate else one for one in listed)


def seen(text: str) -> Prediction:
    """A prediction whose features_uri is the context that its request has."""
    context = request_context.current()
    left_s = context.deadline and context.deadline - asyncio.get_running_loop().time()
    fields = {**context._asdict(), "left_s": left_s}
    return Prediction(text=text, features_uri=json.dumps(fields, default=str))


async def obey(text: str, context: Any) -> None:
    if text == "fail":
        raise RuntimeError("a fault of ours")
    if text == "abort":
        await context.abort(grpc.StatusCode.DATA_LOSS, "gone")
    if text == "nap":
        await asyncio.sleep(0.1)
    if text == "wait":
        await asyncio.sleep(60)


class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    async def Predict(self, request: Any, context: Any) -> Any:
        await obey(request.text, context)
        return pb.PredictResponse(prediction=seen(request.text))

    async def BatchPredict(self, request: Any, context: Any) -> Any:
        await asyncio.sleep(2 * MAX_CALL_S)
        return pb.BatchPredictResponse()

    async def StreamPredict(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for message in requests:
            await obey(message.request.text, context)
            yield pb.StreamPredictResponse(prediction=seen(message.request.text))

    async def WatchPrediction(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield pb.WatchPredictionResponse(prediction=seen("first"))
        await obey(request.id, context)


async def register(server: Registrar, calls: Calls, settings: Settings) -> None:
    registry: Any = Intercepted(server, around(settings, calls))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Predictions(), registry)
    standard_health = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(standard_health, registry)
    standard.add_reflection(registry, SERVICES)
    await standard_health.set("", HealthCheckResponse.SERVING)


SETTINGS = Settings(max_call_s=MAX_CALL_S, caller_header=CALLER_HEADER)


async def ready(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


class App:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._router(scope, receive, send)
            return
        await receive()
        log_to_stderr()
        server, calls = _server(), Calls()
        await register(server, calls, SETTINGS)
        self._router = Router(grpc=server, mounts={"/readyz": ready})
        with metrics_server("127.0.0.1", int(os.environ["TEST_METRICS_PORT"]), calls):
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def _server() -> Server:
    return Server(
        on_error=failures.on_error,
        on_failure=failures.on_failure,
        timeout_s=MAX_CALL_S,
        unbounded=UNBOUNDED,
    )


async def serve_with_grpc_aio() -> None:
    log_to_stderr()
    server, calls = grpc.aio.server(), Calls()
    await register(server, calls, SETTINGS)
    port = server.add_insecure_port("127.0.0.1:0")
    with metrics_server("127.0.0.1", int(os.environ["TEST_METRICS_PORT"]), calls):
        await server.start()
        print(port, flush=True)
        await server.wait_for_termination()


app = App()

if __name__ == "__main__":
    asyncio.run(serve_with_grpc_aio())
