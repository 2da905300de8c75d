"""The ASGI application inside Envoy: builds the objects at start, takes them down at the end.

Read `_open` from top to bottom as the wiring diagram of the gateway.
"""

import asyncio
import gc
import logging
import os
import sys
from contextlib import AsyncExitStack
from typing import cast

import grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse
from predict.v1 import model_service_pb2_grpc, prediction_service_pb2_grpc
from psycopg_pool import AsyncConnectionPool

from contract.settings import read
from database.connections import bounded
from features.spool import Spool
from gateway.grpc_asgi import Server
from gateway.grpc_asgi.asgi import Receive, Scope, Send
from gateway.models import Models
from gateway.predictions import PredictionService
from gateway.servicers import failures, standard
from gateway.servicers.models import ModelServicer
from gateway.servicers.predictions import PredictionServicer
from gateway.settings import Settings
from gateway.store.catalog import Catalog
from gateway.store.changes import Changes
from gateway.store.predictions import PredictionStore
from gateway.store.releases import TrafficStore

log = logging.getLogger(__name__)

SERVICES = ("predict.v1.PredictionService", "predict.v1.ModelService")

BOUNDED = tuple(
    f"/predict.v1.{method}"
    for method in (
        "PredictionService/Predict",
        "PredictionService/CreatePrediction",
        "PredictionService/GetPrediction",
        "PredictionService/ListPredictions",
        "PredictionService/CancelPrediction",
        "ModelService/GetModel",
        "ModelService/ListModels",
        "ModelService/SetTraffic",
        "ModelService/ListReleases",
        "ModelService/GetRelease",
        "ModelService/CreateRelease",
        "ModelService/PauseRelease",
        "ModelService/ResumeRelease",
        "ModelService/CancelRelease",
    )
)
"""Calls that get settings.max_call_s as a whole. BatchPredict and StreamPredict have it for each
text; the others wait for as long as they are asked to."""
DRAIN_S = 1.0
"""Seconds that calls get to end when Envoy stops; gateway.main has waited for them before."""


class Application:
    """Serves gRPC once the lifespan has started."""

    def __init__(self) -> None:
        self._server: Server | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call, or run the lifespan of the process."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif self._server is not None:
            await self._server(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        logging.basicConfig(
            level=logging.INFO,
            format="%(asctime)s %(levelname)s %(name)s %(message)s",
            stream=sys.stderr,
        )
        async with AsyncExitStack() as stack:
            try:
                self._server = await _open(stack, read(Settings, os.environ))
            except Exception as error:
                log.critical("the gateway cannot start: %s", error)
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            spare_the_collector()
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
            await self._server.drain(DRAIN_S)
        await send({"type": "lifespan.shutdown.complete"})


def spare_the_collector() -> None:
    """Calls leave few cycles behind: looking for them as often as Python does costs a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def _open(stack: AsyncExitStack, settings: Settings) -> Server:
    pool = AsyncConnectionPool(
        bounded(),
        kwargs={"autocommit": True},
        min_size=settings.database_connections,
        max_size=settings.database_connections,
        open=False,
    )
    await stack.enter_async_context(pool)
    await pool.wait()

    catalog = Catalog(pool)
    await catalog.refresh()
    changes = Changes(refresh_catalog=catalog.refresh)
    listener = asyncio.create_task(changes.run())
    stack.callback(listener.cancel)

    spool = await stack.enter_async_context(
        Spool(settings.spool, bucket=settings.features_bucket, max_bytes=settings.spool_max_bytes)
    )
    models = await stack.enter_async_context(
        Models(
            lambda: catalog.models,
            features=spool,
            max_batch=settings.max_batch,
            batches_per_version=settings.batches_per_version,
            batches_per_server=settings.batches_per_server,
            max_waiting=settings.max_waiting,
            max_inference_s=settings.max_inference_s,
        )
    )
    store = await stack.enter_async_context(PredictionStore(pool, max_waiting=settings.max_waiting))
    predictions = PredictionService(store=store, models=models, changes=changes)

    server = Server(
        on_error=failures.on_error,
        on_undecodable=failures.on_undecodable,
        on_failure=failures.on_failure,
        max_receive_bytes=failures.MAX_MESSAGE_BYTES,
        timeouts_s=dict.fromkeys(BOUNDED, settings.max_call_s),
    )
    registry = cast(grpc.aio.Server, server)  # it has what the generated functions call
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionServicer(predictions, max_call_s=settings.max_call_s), registry
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        ModelServicer(catalog, TrafficStore(pool)), registry
    )
    health = standard.add_health(server)
    standard.add_reflection(server, SERVICES)
    for service in ("", *SERVICES):
        await health.set(service, HealthCheckResponse.SERVING)
    return server


app = Application()
