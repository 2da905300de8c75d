"""One set of cases for two servers: grpc.aio, and the gateway's in Envoy with all its filters."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from tests.integration.gateway.envoy.gateway_process import GatewayProcess, echo_settings
from tests.parts.ports import free_port

APPLICATION = "tests.integration.gateway.interceptors.application"


@dataclass
class Served:
    """A server of the application, in a process of its own."""

    port: int
    metrics_port: int
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def metrics(self) -> dict[str, float]:
        """By name and labels, as Prometheus reads them."""
        text = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", trust_env=False).text
        samples = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in samples}


@pytest.fixture(scope="session")
def grpc_asgi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("asgi") / "log"
    metrics_port = free_port()
    settings = echo_settings(app=f"{APPLICATION}:app")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_METRICS_PORT", str(metrics_port))
        with GatewayProcess(log=log, settings=settings):
            yield Served(settings.port, metrics_port, log)


@pytest.fixture(scope="session")
def grpc_aio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("aio") / "log"
    metrics_port = free_port()
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", APPLICATION],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=os.environ | {"TEST_METRICS_PORT": str(metrics_port)},
        )
    with process:
        assert process.stdout is not None
        yield Served(int(process.stdout.readline()), metrics_port, log)
        process.terminate()


@pytest.fixture(params=["grpc_aio", "grpc_asgi"])
def served(request: pytest.FixtureRequest) -> Served:
    found: Served = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def channel(served: Served) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        yield channel


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> PredictionServiceStub:
    return PredictionServiceStub(channel)
