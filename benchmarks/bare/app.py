"""In Envoy: a message in, a micro-batch to the runtime, the gateway's own INSERT, a message out.

There is no layer for gRPC, no validation, deadline, cancellation, choice of a version or error.
BENCH_RUNTIME is the address of benchmarks.bare.runtime, BENCH_VERSION the version to ask, PG* the
database of the stack.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

import grpc
import orjson
from predict.v1.model_runtime_service_pb2 import (
    PredictBatchRequest,
    PredictBatchResponse,
    RuntimeResult,
)
from predict.v1.model_runtime_service_pb2_grpc import ModelRuntimeServiceStub
from predict.v1.prediction_service_pb2 import PredictRequest, PredictResponse
from psycopg_pool import AsyncConnectionPool

from benchmarks.questions import MODEL
from gateway.app import spare_the_collector
from gateway.batching import Batcher
from gateway.grpc_asgi import asgi
from gateway.grpc_asgi.framing import PREFIX_BYTES, frame
from gateway.ids import uuid7
from gateway.settings import Settings
from gateway.store import queries

Row = dict[str, str | float | dict[str, float]]

_INSERT = queries.load("gateway.store")["insert_finished"]
_MAX_ROWS = 512
_VERSION = os.environ["BENCH_VERSION"]
_TIME = datetime.now(UTC).isoformat()  # one for all


class Path:
    """The request path: two batchers and what they call."""

    def __init__(self, channel: grpc.aio.Channel, pool: AsyncConnectionPool) -> None:
        self._runtime = ModelRuntimeServiceStub(channel)
        self._pool = pool
        settings = Settings()
        self._texts = Batcher[str, RuntimeResult](
            self._infer,
            max_batch=settings.max_batch,
            max_in_flight=1,
            max_waiting=settings.max_waiting,
        )
        self._rows = Batcher[Row, bool](
            self._insert, max_batch=_MAX_ROWS, max_in_flight=1, max_waiting=settings.max_waiting
        )

    async def predict(self, message: bytes) -> bytes:
        """A PredictRequest to a PredictResponse, once its row is committed."""
        text = PredictRequest.FromString(message).text
        result = await self._texts.submit(text)
        prediction_id = uuid7()
        await self._rows.submit(
            {
                "id": prediction_id,
                "model": MODEL,
                "version": _VERSION,
                "text": text,
                "create_time": _TIME,
                "complete_time": _TIME,
                "label": result.output.label,
                "confidence": result.output.confidence,
                "scores": {},
                "features_uri": "",
            }
        )
        response = PredictResponse()
        response.prediction.id = prediction_id
        response.prediction.text = text
        response.prediction.output.CopyFrom(result.output)
        return response.SerializeToString()

    async def _infer(self, texts: list[str]) -> Sequence[RuntimeResult]:
        request = PredictBatchRequest(model=MODEL, version=_VERSION)
        for text in texts:
            request.entries.add().text = text
        response: PredictBatchResponse = await self._runtime.PredictBatch(request)
        return list(response.results)

    async def _insert(self, rows: list[Row]) -> Sequence[bool]:
        document = orjson.dumps(rows).decode()
        async with self._pool.connection() as connection:
            await connection.execute(_INSERT, {"rows": document}, prepare=True)
        return [True] * len(rows)


class Application:
    """Answers every request as if it were Predict."""

    def __init__(self) -> None:
        self._path: Path | None = None

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Answer one call, or run the lifespan of the process."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif self._path is not None:
            await _answer(self._path, receive, send)

    async def _lifespan(self, receive: asgi.Receive, send: asgi.Send) -> None:
        await receive()
        async with (
            AsyncConnectionPool(
                kwargs={"autocommit": True}, min_size=Settings().database_connections, open=False
            ) as pool,
            grpc.aio.insecure_channel(os.environ["BENCH_RUNTIME"]) as channel,
        ):
            await pool.wait()
            await channel.channel_ready()
            self._path = Path(channel, pool)
            spare_the_collector()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def _answer(path: Path, receive: asgi.Receive, send: asgi.Send) -> None:
    body, more = b"", True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        body += event.get("body", b"")
        more = event.get("more_body", False)
    message = await path.predict(body[PREFIX_BYTES:])
    await send(asgi.PLAIN_START)
    await send({"type": "http.response.body", "body": frame(message), "more_body": False})
    await send(asgi.OK_TRAILERS)


app = Application()
