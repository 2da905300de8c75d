"""In Envoy: a message in, a micro-batch to Triton, the gateway's own INSERT, a message out.

There is no layer for gRPC, no validation, deadline, cancellation, choice of a version or error.
BENCH_TRITON is the address of Triton, BENCH_VERSION the version to ask, PG* the database of the
stack.
"""

import os

import grpc
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from benchmarks.bare.path import Path
from database import named_sql
from gateway.app import spare_the_collector
from gateway.grpc_asgi import asgi
from gateway.grpc_asgi.framing import PREFIX_BYTES, frame
from gateway.store.connections import Connections
from gateway.store.hot_statement import HotStatement
from inference.addresses import Endpoint
from inference.calls import channel_options

_INSERT = named_sql.load("gateway.store")["insert_finished"].replace("%(rows)s", "$1")


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
        triton = os.environ["BENCH_TRITON"]
        insert = HotStatement(_INSERT, Connections())
        async with grpc.aio.insecure_channel(
            triton, options=channel_options(Endpoint(triton))
        ) as channel:
            infer = GRPCInferenceServiceStub(channel).ModelInfer
            self._path = Path(infer, insert, version=os.environ["BENCH_VERSION"])
            spare_the_collector()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await insert.close()
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
