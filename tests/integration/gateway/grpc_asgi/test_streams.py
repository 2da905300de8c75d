"""Streaming calls: the same answers from grpc.aio and from the gateway's server."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import uuid4

import grpc
import pytest

from tests.integration.gateway.grpc_asgi.probe import SERVICE, ProbeStub, text


async def answers_of(call: Any) -> list[str]:
    """The messages before the end, whichever status that has."""
    values = []
    try:
        async for message in call:
            values.append(message.value)
    except grpc.aio.AioRpcError:
        pass
    return values


def texts(values: Iterable[str]) -> AsyncIterator[Any]:
    async def generate() -> AsyncIterator[Any]:
        for value in values:
            yield text(value)

    return generate()


@pytest.mark.parametrize("count", [0, 1, 3000])
async def test_a_server_stream_arrives_whole_and_in_order(probe: ProbeStub, count: int) -> None:
    call = probe.Count(text(str(count)))
    assert await answers_of(call) == [str(i) for i in range(count)]
    assert await call.code() is grpc.StatusCode.OK


async def test_a_handler_may_write_instead_of_yield(probe: ProbeStub) -> None:
    call = probe.CountByWrite(text("3"))
    assert await answers_of(call) == ["0", "1", "2"]
    assert ("i-style", "write") in tuple(await call.initial_metadata())
    assert ("t-style", "write") in tuple(await call.trailing_metadata())


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize(
    ("method", "code", "details"),
    [
        ("CountThenAbort", grpc.StatusCode.RESOURCE_EXHAUSTED, "no more"),
        ("CountThenRaise", grpc.StatusCode.UNKNOWN, "Unexpected <class 'ValueError'>: no more"),
    ],
)
async def test_a_stream_that_fails_keeps_what_was_sent(
    probe: ProbeStub, method: str, code: grpc.StatusCode, details: str, count: int
) -> None:
    call = getattr(probe, method)(text(str(count)))
    assert await answers_of(call) == [str(i) for i in range(count)]
    assert (await call.code(), await call.details()) == (code, details)


async def test_a_request_in_a_stream_that_does_not_parse_is_an_error(
    channel: grpc.aio.Channel,
) -> None:
    call = channel.stream_unary(f"/{SERVICE}/Join")(iter([b"", b"\xff"]))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    assert raised.value.code() is grpc.StatusCode.UNKNOWN


@pytest.mark.parametrize("count", [0, 1, 3000])
async def test_a_client_stream_arrives_whole_and_in_order(probe: ProbeStub, count: int) -> None:
    values = [str(i) for i in range(count)]
    assert (await probe.Join(texts(values))).value == ",".join(values)


async def test_a_handler_that_reads_late_gets_everything(probe: ProbeStub) -> None:
    values = ["x" * 1_000_000] * 3
    assert (await probe.JoinLate(texts(values))).value == ",".join(values)


async def test_a_stream_of_large_messages_arrives(probe: ProbeStub) -> None:
    values = [letter * 1_000_000 for letter in "abcdefgh"]
    assert await answers_of(probe.EchoAfterAll(texts(values))) == values


async def test_a_message_over_the_limit_ends_a_stream(probe: ProbeStub) -> None:
    call = probe.PingPong(texts(["1", "x" * 5_000_000]))
    assert await answers_of(call) == ["pong 1"]
    assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_handler_may_answer_before_the_client_has_finished(probe: ProbeStub) -> None:
    call = probe.First()
    await call.write(text("1"))
    assert (await call).value == "1"
    assert await call.code() is grpc.StatusCode.OK


@pytest.mark.parametrize("method", ["PingPong", "PingPongByRead"])
async def test_both_sides_of_a_duplex_stream_take_turns(probe: ProbeStub, method: str) -> None:
    call = getattr(probe, method)()
    for i in range(50):
        await call.write(text(str(i)))
        assert (await call.read()).value == f"pong {i}"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_server_may_speak_first(probe: ProbeStub) -> None:
    call = probe.Hello()
    assert (await call.read()).value == "hello"
    await call.write(text("a"))
    assert (await call.read()).value == "a"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


@pytest.mark.parametrize("method", ["PingPong", "EchoAfterAll"])
async def test_a_handler_goes_on_after_the_client_has_half_closed(
    probe: ProbeStub, method: str
) -> None:
    answers = await answers_of(getattr(probe, method)(texts(["1", "2"])))
    assert [answer.removeprefix("pong ") for answer in answers] == ["1", "2"]


async def test_a_slow_reader_stops_the_writer(probe: ProbeStub) -> None:
    """Of 64 MiB only what fits the windows on the way is sent before the client reads."""
    name = uuid4().hex
    call = probe.Flood(text(name))
    assert len((await call.read()).value) == 1 << 20
    sent = await probe.settled_count(f"{name} sent")
    assert sent < 40
    rest = [len((await call.read()).value) for _ in range(63)]
    assert rest == [1 << 20] * 63
    assert await call.read() is grpc.aio.EOF


async def test_a_handler_that_does_not_read_stops_the_client(probe: ProbeStub) -> None:
    call = probe.WaitInDuplex()
    await call.write(text(uuid4().hex))
    written = 0

    async def flood() -> None:
        nonlocal written
        while True:
            await call.write(text("x" * (1 << 20)))
            written += 1

    flooding = asyncio.create_task(flood())
    counts = [-1]
    while counts[-10:] != [written] * 10:
        counts.append(written)
        assert written < 200
        await asyncio.sleep(0.05)
    flooding.cancel()
    call.cancel()


@pytest.mark.parametrize("method", ["WaitInStream", "WaitInDuplex", "WaitForRequests"])
async def test_a_cancelled_stream_cancels_its_handler(probe: ProbeStub, method: str) -> None:
    name = uuid4().hex
    if method == "WaitInStream":
        call = probe.WaitInStream(text(name))
    else:
        call = getattr(probe, method)()
        await call.write(text(name))
    await probe.wait_until_observed(f"{name} started")
    call.cancel()
    await probe.wait_until_observed(f"{name} cancelled")


@pytest.mark.parametrize("method", ["WaitInDuplex", "WaitForRequests"])
async def test_a_deadline_ends_a_stream(probe: ProbeStub, method: str) -> None:
    name = uuid4().hex
    call = getattr(probe, method)(timeout=0.5)
    await call.write(text(name))
    assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await probe.wait_until_observed(f"{name} cancelled")


async def test_many_streams_run_beside_each_other(probe: ProbeStub) -> None:
    values = [str(i) for i in range(20)]
    answers = await asyncio.gather(*(answers_of(probe.PingPong(texts(values))) for _ in range(50)))
    assert answers == [[f"pong {value}" for value in values]] * 50
