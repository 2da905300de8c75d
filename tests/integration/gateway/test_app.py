"""The product as gateway.app wires it: which rpcs it has, and what each may take."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from database.logins import GATEWAY
from gateway.app import UNBOUNDED, _open
from gateway.grpc_asgi import Server
from gateway.settings import Settings
from tests.parts.catalog import environment
from tests.parts.ports import free_port
from tests.parts.postgres import Database


@pytest.fixture
async def server(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Server]:
    for name, value in environment(database, GATEWAY).items():
        monkeypatch.setenv(name, value)
    metrics_port = free_port()
    async with AsyncExitStack() as stack:
        settings = Settings(spool=tmp_path / "spool", metrics_port=metrics_port)
        server, _readiness = await _open(stack, settings)
        yield server


async def test_every_rpc_is_bounded_but_for_those_that_are_named(server: Server) -> None:
    limits = server.timeouts_s
    assert {path.split("/")[1] for path in limits} == {
        "predict.v1.PredictionService",
        "predict.v1.ModelService",
        "predict.v1.FeedbackService",
        "predict.v1.MonitoringService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert {path for path, limit_s in limits.items() if limit_s is None} == UNBOUNDED.keys()
    assert {limit_s for limit_s in limits.values() if limit_s} == {Settings().max_call_s}
