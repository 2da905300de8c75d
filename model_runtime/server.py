"""The gRPC server around the door: limits, health, drain."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse
from predict.v1 import model_runtime_service_pb2_grpc
from predict.v1.model_runtime_service_pb2 import DESCRIPTOR

from model_runtime.errors import ModelUnavailable
from model_runtime.servicer import ModelRuntimeServicer
from model_runtime.triton import TritonModel

SERVICES = ("", DESCRIPTOR.services_by_name["ModelRuntimeService"].full_name)
PROBE_INTERVAL_S = 2.0
# 256 texts of 64 KiB, and their ids.
MAX_MESSAGE_BYTES = 256 * (64 * 1024 + 128)
OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # a taken port is an error
]


class AddressInUse(OSError):
    """The address to serve on cannot be had."""


@asynccontextmanager
async def serving(
    address: str, *, servicer: ModelRuntimeServicer, triton: TritonModel, drain_s: float
) -> AsyncIterator[None]:
    """Serve within the block; at its end, let calls in flight finish within drain_s seconds.

    Health is SERVING while the model answers. Raises AddressInUse.
    """
    server = grpc.aio.server(options=OPTIONS)
    model_runtime_service_pb2_grpc.add_ModelRuntimeServiceServicer_to_server(servicer, server)
    checks = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as exc:
        raise AddressInUse(f"{address} cannot be served on: is it taken?") from exc
    await _set(checks, serving=False)
    await server.start()
    watch = asyncio.create_task(_watch(triton, checks))
    try:
        yield
    finally:
        watch.cancel()
        await checks.enter_graceful_shutdown()
        await server.stop(drain_s)


async def _watch(triton: TritonModel, checks: health.HealthServicer) -> None:
    """Make health follow the model."""
    while True:
        try:
            await triton.check()
        except ModelUnavailable:
            await _set(checks, serving=False)
        else:
            await _set(checks, serving=True)
        await asyncio.sleep(PROBE_INTERVAL_S)


async def _set(checks: health.HealthServicer, *, serving: bool) -> None:
    status = HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING
    for service in SERVICES:
        await checks.set(service, status)
