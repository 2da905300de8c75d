"""Unary calls: the same answers from grpc.aio and from the gateway's server."""

import asyncio
import time
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from tests.integration.gateway.grpc_asgi.probe import SERVICE, ProbeStub, text

_GZIP = grpc.Compression.Gzip


async def error_of(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value


@pytest.mark.parametrize("value", ["", "a", "ä" * 1000, "x" * 3_000_000])
async def test_a_message_of_any_size_comes_back(probe: ProbeStub, value: str) -> None:
    assert (await probe.Echo(text(value))).value == value


async def test_many_concurrent_calls_each_get_their_own_answer(probe: ProbeStub) -> None:
    answers = await asyncio.gather(*(probe.Echo(text(str(i))) for i in range(300)))
    assert [answer.value for answer in answers] == [str(i) for i in range(300)]


async def test_metadata_goes_both_ways_with_order_repeats_and_binary(probe: ProbeStub) -> None:
    asked = [("x-probe", "1"), ("x-probe-bin", b"\0\xff\x80"), ("x-probe", "2, 3")]
    initial = [("i-text", "initial"), ("i-raw-bin", bytes(range(256)))]
    trailing = [("t-text", "a"), ("t-text", "b"), ("t-raw-bin", b"abcd"), ("t-raw-bin", b"")]
    call = probe.EchoMetadata(text(""), metadata=[*asked, *initial, *trailing])
    received = (await call).value
    assert received == repr(sorted(asked, key=lambda pair: pair[0]))
    assert [pair for pair in await call.initial_metadata() if pair[0][:2] == "i-"] == initial
    assert [pair for pair in await call.trailing_metadata() if pair[0][:2] == "t-"] == trailing


async def test_an_abort_carries_code_details_and_trailing_metadata(probe: ProbeStub) -> None:
    details = "naïve 100 %\n\ttext"
    error = await error_of(probe.Abort(text(details)))
    assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, details)
    assert ("t-why", "because") in tuple(error.trailing_metadata())


async def test_a_suppressed_abort_still_ends_the_call(probe: ProbeStub) -> None:
    error = await error_of(probe.AbortSuppressed(text("")))
    assert (error.code(), error.details()) == (grpc.StatusCode.ABORTED, "aborted")


async def test_a_rich_status_arrives_with_its_details(probe: ProbeStub) -> None:
    call = probe.AbortRich(text("SOME_REASON"))
    await error_of(call)
    status = await rpc_status.aio.from_call(call)
    assert status is not None
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, status.message, info.reason) == (3, "rich", "SOME_REASON")


@pytest.mark.parametrize(
    ("method", "code", "details"),
    [
        ("Raise", grpc.StatusCode.UNKNOWN, "Unexpected <class 'ValueError'>: why"),
        ("RaiseWithCode", grpc.StatusCode.DATA_LOSS, "Unexpected <class 'ValueError'>: why"),
        ("SetCode", grpc.StatusCode.NOT_FOUND, "why"),
        (
            "Unwritten",
            grpc.StatusCode.UNIMPLEMENTED,
            "Unexpected <class 'NotImplementedError'>: Method not implemented!",
        ),
    ],
)
async def test_a_handler_that_fails_gives_its_status(
    probe: ProbeStub, method: str, code: grpc.StatusCode, details: str
) -> None:
    error = await error_of(getattr(probe, method)(text("why")))
    assert (error.code(), error.details()) == (code, details)


async def test_trailing_metadata_set_before_an_exception_is_sent(probe: ProbeStub) -> None:
    error = await error_of(probe.Raise(text("why")))
    assert ("t-kept", "yes") in tuple(error.trailing_metadata())


async def test_trailing_metadata_goes_with_a_code_that_was_set(probe: ProbeStub) -> None:
    error = await error_of(probe.SetCode(text("why")))
    assert ("t-bytes-bin", b"\0\xff") in tuple(error.trailing_metadata())


async def test_a_response_that_does_not_serialize_is_an_error(probe: ProbeStub) -> None:
    error = await error_of(probe.NotSerializable(text("")))
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert error.details().startswith("Unexpected <class 'TypeError'>")


async def test_a_request_that_does_not_parse_is_an_error(channel: grpc.aio.Channel) -> None:
    error = await error_of(channel.unary_unary(f"/{SERVICE}/Echo")(b"\xff"))
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert error.details().startswith("Unexpected <class 'google.protobuf.message.DecodeError'>")


@pytest.mark.parametrize("path", [f"/{SERVICE}/Missing", "/no.Service/Echo", "/echo"])
async def test_an_unknown_method_is_unimplemented(channel: grpc.aio.Channel, path: str) -> None:
    error = await error_of(channel.unary_unary(path)(b""))
    assert (error.code(), error.details()) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "Method not found!",
    )


@pytest.mark.parametrize("compression", [_GZIP, grpc.Compression.Deflate])
async def test_a_compressed_request_is_understood(
    probe: ProbeStub, compression: grpc.Compression
) -> None:
    assert (await probe.Echo(text("x" * 9999), compression=compression)).value == "x" * 9999


@pytest.mark.parametrize("value", ["x" * 100_000, "short"])
async def test_a_response_is_compressed_when_the_handler_says_so(
    probe: ProbeStub, value: str
) -> None:
    assert (await probe.EchoCompressed(text(value))).value == value


@pytest.mark.parametrize(
    ("compression", "details"),
    [
        (None, "SERVER: Received message larger than max (5000005 vs. 4194304)"),
        (_GZIP, "Decompressed message larger than max"),
    ],
)
async def test_a_request_over_the_limit_is_refused_before_and_after_decompression(
    probe: ProbeStub, compression: grpc.Compression | None, details: str
) -> None:
    error = await error_of(probe.Echo(text("x" * 5_000_000), compression=compression))
    assert (error.code(), error.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, details)


async def test_a_handler_knows_how_much_time_is_left(probe: ProbeStub) -> None:
    assert (await probe.TimeRemaining(text(""))).value == "None"
    # gRPC rounds a timeout up where its header has too few digits for it.
    assert 0 < float((await probe.TimeRemaining(text(""), timeout=30)).value) < 60


@pytest.mark.parametrize("method", ["Wait", "Linger"])
async def test_a_deadline_ends_the_call_and_cancels_the_handler(
    probe: ProbeStub, method: str
) -> None:
    name = uuid4().hex
    started = time.monotonic()
    error = await error_of(getattr(probe, method)(text(name), timeout=0.5))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 5
    await probe.wait_until_observed(f"{name} cancelled")


async def test_a_cancelled_call_cancels_its_handler_and_calls_back(probe: ProbeStub) -> None:
    name = uuid4().hex
    call = probe.Wait(text(name))
    await probe.wait_until_observed(f"{name} started")
    call.cancel()
    await probe.wait_until_observed(f"{name} cancelled")
    await probe.wait_until_observed(f"{name} done")
