"""One set of cases for two servers: grpc.aio, and the gateway's inside a real Envoy."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest

from tests.integration.gateway.grpc_asgi.probe import ProbeStub
from tests.parts.grpc_envoy import Envoy


@pytest.fixture(scope="session")
def envoy() -> Iterator[Envoy]:
    with Envoy("tests.integration.gateway.grpc_asgi.app:app") as envoy:
        yield envoy
        assert "Exception in" not in envoy.log()  # neither in the application nor in a callback


@pytest.fixture(scope="session")
def grpc_aio_address() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.integration.gateway.grpc_asgi.servers"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


@pytest.fixture(params=["grpc.aio", "grpc_asgi"])
def address(request: pytest.FixtureRequest) -> str:
    if request.param == "grpc.aio":
        return str(request.getfixturevalue("grpc_aio_address"))
    return str(request.getfixturevalue("envoy").address)


@pytest.fixture
async def channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield channel


@pytest.fixture
def probe(channel: grpc.aio.Channel) -> ProbeStub:
    return ProbeStub(channel)
