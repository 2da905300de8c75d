"""The ASGI application inside Envoy: builds the objects at start, takes them down at the end.

Read it from `open_parts` to the bottom as the wiring diagram of the gateway.
"""

import asyncio
import gc
import logging
import os
from contextlib import AsyncExitStack
from functools import partial
from typing import NamedTuple, cast

import grpc
from grpc_health.v1 import health_pb2_grpc
from predict.v1 import (
    feedback_service_pb2_grpc,
    model_service_pb2_grpc,
    monitoring_service_pb2_grpc,
    prediction_service_pb2_grpc,
)
from prometheus_client.registry import Collector

from contract.access import AccessPolicy, Limits, read_policy
from contract.settings import read
from features.spool import Spool
from gateway import drain
from gateway.drain import Stage
from gateway.envoy.admin import EnvoyAdmin
from gateway.envoy.authentication import has_keys
from gateway.envoy_stats import EnvoyStats
from gateway.feedback import FeedbackService
from gateway.grpc_asgi import Server
from gateway.grpc_asgi.asgi import Receive, Scope, Send
from gateway.interceptors.admit import admit
from gateway.interceptors.authorize import authorize
from gateway.interceptors.bound import bound
from gateway.interceptors.explain import explain
from gateway.interceptors.identify import identify
from gateway.interceptors.intercepted import Intercepted, Registrar
from gateway.interceptors.interceptor import Interceptor
from gateway.interceptors.name_caller import name_caller
from gateway.interceptors.observe import observe
from gateway.interceptors.validate import validate
from gateway.logs import log_to_stderr
from gateway.metrics.calls import Calls
from gateway.metrics.figures import GatewayFigures
from gateway.models import Models
from gateway.outcomes import Outcomes
from gateway.predictions import PredictionService
from gateway.rates import Rates
from gateway.readiness import Readiness
from gateway.readyz import Readyz
from gateway.recorded import RecordedPredictions
from gateway.router import READYZ, Router
from gateway.servicers import failures, standard
from gateway.servicers.feedback import FeedbackServicer
from gateway.servicers.health import HealthServicer
from gateway.servicers.models import ModelServicer
from gateway.servicers.monitoring import MonitoringServicer
from gateway.servicers.predictions import PredictionServicer
from gateway.settings import Settings
from gateway.standing import GatewayStanding
from gateway.store.catalog import Catalog
from gateway.store.changes import Changes
from gateway.store.connections import Connections
from gateway.store.labels import LabelStore
from gateway.store.predictions import PredictionStore
from gateway.store.quality import MetricStore
from gateway.store.releases import TrafficStore
from telemetry.spans import tracer
from telemetry.telling import telling

log = logging.getLogger(__name__)

SERVICES = (
    "predict.v1.PredictionService",
    "predict.v1.ModelService",
    "predict.v1.FeedbackService",
    "predict.v1.MonitoringService",
)

UNBOUNDED = {
    "/predict.v1.PredictionService/BatchPredict": "each of its texts has the bound",
    "/predict.v1.PredictionService/StreamPredict": "each of its texts has the bound",
    "/predict.v1.PredictionService/WaitPrediction": "takes as long as it is asked to",
    "/predict.v1.PredictionService/WatchPrediction": "ends with the prediction",
    "/grpc.health.v1.Health/Watch": "ends when its client has enough",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "likewise",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "likewise",
}
"""The rpcs that may take longer than settings.max_call_s, each with its reason."""
DATABASE_S = 30.0
"""Seconds that the start waits for PostgreSQL."""


class Application:
    """Serves gRPC and /readyz once the lifespan has started."""

    _router: Router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call, or run the lifespan of the process."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await self._router(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        log_to_stderr()
        async with AsyncExitStack() as stack:
            try:
                server, readyz = await _open(stack, read(Settings, os.environ))
                self._router = Router(grpc=server, mounts={READYZ: readyz})
            except Exception as error:
                log.critical("the gateway cannot start: %s", error)
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            spare_the_collector()
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown: what could be answered has been
            server.stop()
            await server.unwind()
        await send({"type": "lifespan.shutdown.complete"})


def spare_the_collector() -> None:
    """Calls leave few cycles behind: looking for them as often as Python does costs a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def interceptors(
    settings: Settings, calls: Calls | None, access: AccessPolicy | None
) -> tuple[Interceptor, ...]:
    """What is around every rpc, the outermost first. calls: what counts them; None: nobody."""
    named: Interceptor | None = None
    if access:
        named = authorize(access, unbounded=UNBOUNDED)
    elif settings.caller_header:
        named = name_caller(settings.caller_header)
    spans = tracer()
    return (
        *((observe(calls, spans, unbounded=UNBOUNDED),) if calls or spans else ()),
        explain,
        identify,
        bound(settings.max_call_s, unbounded=UNBOUNDED),
        *((named, admit(settings.max_connections)) if named else ()),
        validate,
    )


class Parts(NamedTuple):
    """What the servicers work with."""

    connections: Connections
    catalog: Catalog
    changes: Changes
    models: Models
    predictions: PredictionService
    store: PredictionStore
    recorded: RecordedPredictions
    spool: Spool
    figures: GatewayFigures
    access: AccessPolicy | None


async def open_parts(stack: AsyncExitStack, settings: Settings) -> Parts:
    """Connect to all that the gateway needs; the stack closes it."""
    access = read_policy(settings.access) if settings.access else None
    connections = await stack.enter_async_context(Connections(settings.database_connections))
    await connections.wait(DATABASE_S)

    catalog = Catalog(connections)
    await catalog.refresh()
    figures = GatewayFigures(
        lambda: [(model.id, v) for model in list(catalog.models.values()) for v in model.traffic],
        counting=settings.metrics_port > 0,
    )
    changes = Changes(refresh_catalog=catalog.refresh_by)
    stack.callback(asyncio.create_task(changes.run()).cancel)

    spool = await stack.enter_async_context(
        Spool(settings.spool, bucket=settings.features_bucket, max_bytes=settings.spool_max_bytes)
    )
    models = await stack.enter_async_context(
        Models(
            lambda: catalog.models,
            features=spool,
            stages=figures.stages,
            max_batch=settings.max_batch,
            batches_per_version=settings.batches_per_version,
            batches_per_server=settings.batches_per_server,
            max_waiting=settings.max_waiting,
            max_inference_s=settings.max_inference_s,
            max_call_s=settings.max_call_s,
        )
    )
    await models.probes.ask_all()
    stack.callback(asyncio.create_task(models.probes.run()).cancel)
    store = await stack.enter_async_context(
        PredictionStore(connections, max_waiting=settings.max_waiting, commits=figures.commits)
    )
    recorded = RecordedPredictions(store=store, changes=changes)
    predictions = PredictionService(
        store=store,
        models=models,
        recorded=recorded,
        outcomes=await stack.enter_async_context(
            Outcomes(store, figures.unrecorded, figures.outcomes, knows=models.knows)
        ),
        stages=figures.stages,
        rates=Rates(
            access.limits if access else Limits(), figures.limited, asyncio.get_running_loop().time
        ),
    )
    return Parts(
        connections,
        catalog,
        changes,
        models,
        predictions,
        store,
        recorded,
        spool,
        figures,
        access,
    )


def register(parts: Parts, settings: Settings, server: Registrar) -> grpc.aio.Server:
    """Put the contract's services on a server, our own or one of grpc.aio.

    Answers with where to register others, so that the interceptors are around them too.
    """
    intercepted = Intercepted(server, interceptors(settings, parts.figures.calls, parts.access))
    registry = cast(grpc.aio.Server, intercepted)  # it has what the generated functions call
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionServicer(
            parts.predictions,
            parts.recorded,
            max_call_s=settings.max_call_s,
            unrecorded=parts.figures.unrecorded,
        ),
        registry,
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        ModelServicer(parts.catalog, TrafficStore(parts.connections)), registry
    )
    feedback = FeedbackService(
        store=LabelStore(parts.connections, max_waiting=settings.max_waiting),
        predictions=parts.recorded,
    )
    feedback_service_pb2_grpc.add_FeedbackServiceServicer_to_server(
        FeedbackServicer(feedback), registry
    )
    monitoring_service_pb2_grpc.add_MonitoringServiceServicer_to_server(
        MonitoringServicer(parts.catalog, MetricStore(parts.connections)), registry
    )
    return registry


def look_collectors(parts: Parts, settings: Settings) -> tuple[Collector, ...]:
    """How the gateway and its Envoy, which is asked first, stand when somebody asks."""
    envoy = EnvoyStats(EnvoyAdmin(port=settings.admin_port))
    standing = GatewayStanding(
        models=lambda: parts.catalog.models,
        away=lambda: parts.models.probes.away,
        store_answers=lambda: not parts.connections.silence.is_noticed,
        capacities={
            "connections": (envoy.connections, settings.max_connections),
            "calls_waiting": (parts.models.waiting, settings.max_waiting),
            "rows_waiting": (parts.store.waiting, settings.max_waiting),
            "spool_bytes": (lambda: parts.spool.bytes, settings.spool_max_bytes),
            "database_connections": (lambda: parts.connections.in_use, parts.connections.size),
        },
    )
    return envoy, standing


async def _open(stack: AsyncExitStack, settings: Settings) -> tuple[Server, Readyz]:
    async with AsyncExitStack() as opened:
        parts = await open_parts(opened, settings)
        await stack.enter_async_context(
            telling(
                "gateway",
                settings.metrics_address,
                settings.metrics_port,
                *parts.figures.collectors(),
                *look_collectors(parts, settings),
            )
        )
        # The parts close first: what they still do is told.
        stack.push_async_exit(opened.pop_all())
    server = Server(
        on_error=failures.on_error,
        on_failure=failures.on_failure,
        max_receive_bytes=failures.MAX_MESSAGE_BYTES,
        timeout_s=settings.max_call_s,
        unbounded=UNBOUNDED,
    )
    registry = register(parts, settings, server)
    readiness = Readiness(
        services=SERVICES,
        models=lambda: parts.catalog.models,
        model_answers=parts.models.answers,
        store_answers=lambda: parts.changes.is_heard() and not parts.connections.silence.is_noticed,
        keys_are_there=partial(has_keys, settings.keys) if settings.keys else lambda: True,
    )
    stack.callback(asyncio.create_task(readiness.run()).cancel)
    health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(readiness), registry)
    standard.add_reflection(registry, SERVICES)

    def on_stage(stage: Stage) -> None:
        readiness.leave()
        if stage is not Stage.LEAVING:
            parts.changes.end()
            server.drain()
        if stage is Stage.OVER:
            server.stop()

    if settings.drain_fd:
        drain.listen(settings.drain_fd, on_stage)
    return server, Readyz(readiness, names_models=parts.access is None)


app = Application()
