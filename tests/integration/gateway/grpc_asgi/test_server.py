"""The gateway's server: its hooks and its limit."""

from collections.abc import Iterator
from uuid import uuid4

import grpc
import pytest

from tests.integration.gateway.grpc_asgi.probe import SERVICE, ProbeStub, text
from tests.parts.grpc_envoy import Envoy


@pytest.fixture(scope="module")
def envoy() -> Iterator[Envoy]:
    with Envoy("tests.integration.gateway.grpc_asgi.app:strict_app") as envoy:
        yield envoy
        assert "Exception in" not in envoy.log()  # neither in the application nor in a callback


@pytest.fixture
def address(envoy: Envoy) -> str:
    return envoy.address


async def test_the_hook_for_errors_decides_what_a_client_sees(probe: ProbeStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await probe.Raise(text("secret"))
    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert raised.value.details() == f"/{SERVICE}/Raise failed"


async def test_a_code_that_the_handler_set_stays(probe: ProbeStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await probe.RaiseWithCode(text("secret"))
    assert raised.value.code() is grpc.StatusCode.DATA_LOSS


@pytest.mark.parametrize("method", ["Echo", "PingPong"])
async def test_the_hook_for_undecodable_requests_decides_what_a_client_sees(
    channel: grpc.aio.Channel, method: str
) -> None:
    call = channel.stream_stream(f"/{SERVICE}/{method}")(iter([b"\xff\xff\xff"]))
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert await call.details() == "3 bytes"
    assert ("t-hook", "yes") in tuple(await call.trailing_metadata())


@pytest.mark.parametrize("asked_s", [None, 30])
async def test_a_method_has_a_deadline_of_its_own(probe: ProbeStub, asked_s: float | None) -> None:
    name = uuid4().hex
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await probe.Wait(text(name), timeout=asked_s)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await probe.wait_until_observed(f"{name} cancelled")


async def test_the_limit_of_a_message_is_a_setting(probe: ProbeStub) -> None:
    assert (await probe.Echo(text("x" * 98))).value == "x" * 98
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await probe.Echo(text("x" * 99))
    assert raised.value.details() == "SERVER: Received message larger than max (101 vs. 100)"
