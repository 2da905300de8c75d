"""The end of the gateway's server: streams of requests first, then all that is left."""

from collections.abc import Iterator
from uuid import uuid4

import grpc
import httpx
import pytest

from tests.integration.gateway.grpc_asgi.probe import ProbeStub, text
from tests.parts.grpc_envoy import Envoy


@pytest.fixture
def address() -> Iterator[str]:
    """Of a server of the test's own: there is no way back from a drain."""
    with Envoy("tests.integration.gateway.grpc_asgi.app:app") as envoy:
        yield envoy.address
        assert "Exception in" not in envoy.log()


async def tell(address: str, what: str) -> str:
    async with httpx.AsyncClient(timeout=20) as client:
        return (await client.get(f"http://{address}/{what}")).text


async def test_a_server_that_stands_idle_has_nothing_left(address: str) -> None:
    assert await tell(address, "stop") == "0 left"


@pytest.mark.parametrize("method", ["PingPong", "PingPongByRead"])
async def test_a_drain_ends_a_stream_of_requests_that_waits(
    address: str, probe: ProbeStub, method: str
) -> None:
    stream = getattr(probe, method)()
    await stream.write(text("1"))
    assert (await stream.read()).value == "pong 1"
    await tell(address, "drain")
    assert await stream.code() is grpc.StatusCode.UNAVAILABLE
    assert await getattr(probe, method)(iter([text("2")])).code() is grpc.StatusCode.UNAVAILABLE


async def test_a_drain_lets_other_calls_go_on_and_come(address: str, probe: ProbeStub) -> None:
    name = uuid4().hex
    unary, stream = probe.Wait(text(name)), probe.WaitInStream(text(name))
    assert (await stream.read()).value == name
    await probe.wait_until_observed(f"{name} started")
    assert await tell(address, "drain") == "2 left"
    assert (await probe.Echo(text("x"))).value == "x"
    assert not unary.done()
    unary.cancel()
    stream.cancel()


async def test_a_stop_ends_what_is_left_and_what_comes_as_unavailable(
    address: str, probe: ProbeStub
) -> None:
    name = uuid4().hex
    unary, stream, duplex = probe.Wait(text(name)), probe.WaitInStream(text(name)), probe.PingPong()
    assert (await stream.read()).value == name
    await duplex.write(text("1"))
    assert (await duplex.read()).value == "pong 1"
    await probe.wait_until_observed(f"{name} started")
    assert await tell(address, "stop") == "0 left"
    for call in (unary, stream, duplex, probe.Echo(text("x"))):
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
