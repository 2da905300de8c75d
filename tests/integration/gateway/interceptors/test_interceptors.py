"""The product's interceptors around every kind of rpc: our own server in Envoy, and grpc.aio."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from predict.v1 import prediction_service_pb2 as pb
from predict.v1.prediction_service_pb2_grpc import (
    PredictionServiceStub,
    add_PredictionServiceServicer_to_server,
)

from contract.status import error_info
from gateway.interceptors.intercepted import Intercepted
from gateway.metrics.calls import Calls
from gateway.settings import Settings
from tests.integration.gateway.interceptors.application import (
    CALLER_HEADER,
    MAX_CALL_S,
    Predictions,
    around,
)
from tests.integration.gateway.interceptors.conftest import Served
from tests.parts.polling import wait_until

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SERVICE = "predict.v1.PredictionService"

Metadata = tuple[tuple[str, str], ...]
Ask = Callable[..., Awaitable[tuple[dict[str, Any], str]]]
"""Calls an rpc with a text and metadata; gives the context that it had and the id of the answer."""


async def unary(
    stub: PredictionServiceStub, text: str, metadata: Metadata, timeout_s: float | None = None
) -> tuple[dict[str, Any], str]:
    call: Any = stub.Predict(pb.PredictRequest(text=text), metadata=metadata, timeout=timeout_s)
    prediction = (await call).prediction
    return json.loads(prediction.features_uri), await answered_id(call)


async def server_stream(
    stub: PredictionServiceStub, text: str, metadata: Metadata, timeout_s: float | None = None
) -> tuple[dict[str, Any], str]:
    request = pb.WatchPredictionRequest(id=text)
    call: Any = stub.WatchPrediction(request, metadata=metadata, timeout=timeout_s)
    predictions = [message.prediction async for message in call]
    return json.loads(predictions[-1].features_uri), await answered_id(call)


async def both_stream(
    stub: PredictionServiceStub, text: str, metadata: Metadata, timeout_s: float | None = None
) -> tuple[dict[str, Any], str]:
    async def requests() -> AsyncIterator[pb.StreamPredictRequest]:
        yield pb.StreamPredictRequest(request=pb.PredictRequest(text="first"))
        yield pb.StreamPredictRequest(request=pb.PredictRequest(text=text))

    call: Any = stub.StreamPredict(requests(), metadata=metadata, timeout=timeout_s)
    predictions = [message.prediction async for message in call]
    return json.loads(predictions[-1].features_uri), await answered_id(call)


async def answered_id(call: Any) -> str:
    return dict(await call.initial_metadata()).get("x-request-id", "")


async def failed_id(call: grpc.aio.AioRpcError) -> str:
    """An answer that is only a status has it beside the status."""
    metadata = (*call.initial_metadata(), *call.trailing_metadata())
    return str(dict(metadata)["x-request-id"])


KINDS = pytest.mark.parametrize("ask", [unary, server_stream, both_stream])


@KINDS
async def test_a_call_has_the_id_that_its_client_sees(
    stub: PredictionServiceStub, ask: Ask
) -> None:
    context, answered = await ask(stub, "text", ())
    assert context["id"] == answered == str(UUID(answered))
    other, _ = await ask(stub, "text", ())
    assert other["id"] != context["id"]


async def test_calls_side_by_side_have_each_their_own(stub: PredictionServiceStub) -> None:
    answers = await asyncio.gather(*(unary(stub, "nap", ()) for _ in range(64)))
    assert [context["id"] for context, _ in answers] == [answered for _, answered in answers]
    assert len({answered for _, answered in answers}) == 64


@KINDS
async def test_an_id_that_the_client_gives_is_kept(stub: PredictionServiceStub, ask: Ask) -> None:
    context, _ = await ask(stub, "text", (("x-request-id", "its-own:1"),))
    assert context["id"] == "its-own:1"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("a" * 4000, "a" * 128), ("x [y] ERROR root", "x?[y]?ERROR?root")],
)
async def test_an_odd_id_is_made_fit_for_a_log_line(
    stub: PredictionServiceStub, given: str, kept: str
) -> None:
    context, _ = await unary(stub, "text", (("x-request-id", given),))
    assert context["id"] == kept


@KINDS
async def test_a_fault_of_ours_is_logged_under_the_id_that_the_client_sees(
    served: Served, stub: PredictionServiceStub, ask: Ask
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await ask(stub, "fail", ())
    status: Any = rpc_status.from_call(raised.value)  # type: ignore[arg-type]
    assert error_info(status).reason == "INTERNAL"
    assert "a fault of ours" not in str(status)
    id_ = await failed_id(raised.value)
    line = f'"message": "unexpected RuntimeError", "request_id": "{id_}"'
    wait_until(lambda: line in served.log)


@KINDS
async def test_a_status_that_a_handler_chose_stays(stub: PredictionServiceStub, ask: Ask) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await ask(stub, "abort", ())
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.DATA_LOSS, "gone")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (TRACE, TRACE),
        (TRACE.upper(), ""),
        (f"{TRACE}-more", ""),
        ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", ""),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01", ""),
        ("secret text", ""),
    ],
)
async def test_a_trace_is_taken_over_where_it_is_one(
    stub: PredictionServiceStub, given: str, kept: str
) -> None:
    context, _ = await unary(stub, "text", (("traceparent", given),))
    assert context["traceparent"] == kept


@KINDS
async def test_the_caller_is_who_the_proxy_says(stub: PredictionServiceStub, ask: Ask) -> None:
    context, _ = await ask(stub, "text", ((CALLER_HEADER, "ann@example.com"),))
    assert context["caller"] == "ann@example.com"
    context, _ = await ask(stub, "text", ())
    assert context["caller"] == ""


# grpc.aio's client reports a stream of requests that is refused at once in several ways.
@pytest.mark.parametrize("ask", [unary, server_stream])
@pytest.mark.parametrize("names", [("ann", "bob"), ("",), ("a" * 257,)])
async def test_a_caller_that_is_not_one_name_is_refused(
    stub: PredictionServiceStub, ask: Ask, names: tuple[str, ...]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await ask(stub, "text", tuple((CALLER_HEADER, name) for name in names))
    status: Any = rpc_status.from_call(raised.value)  # type: ignore[arg-type]
    info = error_info(status)
    assert (raised.value.code(), info.reason, dict(info.metadata)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_CALLER",
        {"header": CALLER_HEADER},
    )


async def test_without_the_setting_no_header_names_a_caller() -> None:
    server = grpc.aio.server()
    registry: Any = Intercepted(server, around(Settings(), Calls()))
    add_PredictionServiceServicer_to_server(Predictions(), registry)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        headers = ((CALLER_HEADER, "ann"), (CALLER_HEADER, "bob"), ("caller", "eve"))
        context, _ = await unary(PredictionServiceStub(channel), "text", headers)
    await server.stop(None)
    assert context["caller"] == ""


async def test_a_call_ends_at_its_bound(stub: PredictionServiceStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await unary(stub, "wait", ())
    status: Any = rpc_status.from_call(raised.value)  # type: ignore[arg-type]
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error_info(status).reason == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize(("asked_s", "at_most_s"), [(0.5, 0.6), (30, MAX_CALL_S)])
async def test_the_sooner_of_the_clients_deadline_and_the_bound_counts(
    stub: PredictionServiceStub, asked_s: float, at_most_s: float
) -> None:
    context, _ = await unary(stub, "text", (), asked_s)
    assert 0 < context["left_s"] <= at_most_s


async def test_a_named_rpc_may_take_longer(stub: PredictionServiceStub) -> None:
    response = await stub.BatchPredict(pb.BatchPredictRequest())  # type: ignore[misc]
    assert response == pb.BatchPredictResponse()


@pytest.mark.parametrize("rpc", ["Predict", "BatchPredict", "WaitPrediction", "WatchPrediction"])
async def test_a_request_that_never_comes_whole_is_bounded_for_every_rpc(
    grpc_asgi: Served, rpc: str
) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_asgi.port}") as channel:
        call: Any = channel.stream_stream(f"/{SERVICE}/{rpc}")(timeout=20)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error_info(rpc_status.from_call(failed.value)).reason == "DEADLINE_EXCEEDED"  # type: ignore[arg-type]


async def test_an_rpc_without_an_implementation_is_unimplemented(
    stub: PredictionServiceStub,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ListPredictions(pb.ListPredictionsRequest())  # type: ignore[misc]
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_calls_are_counted_by_rpc_and_code(
    served: Served, channel: grpc.aio.Channel, stub: PredictionServiceStub
) -> None:
    def counted(method: str, code: str) -> float:
        return served.metrics.get(sample(f"{SERVICE}/{method}", code), 0)

    expected = [
        ("Predict", "OK", unary, "text", None),
        ("Predict", "INTERNAL", unary, "fail", None),
        ("Predict", "DATA_LOSS", unary, "abort", None),
        ("Predict", "DEADLINE_EXCEEDED", unary, "wait", None),
        ("Predict", "DEADLINE_EXCEEDED", unary, "wait", 0.2),
        ("StreamPredict", "OK", both_stream, "text", None),
        ("StreamPredict", "INTERNAL", both_stream, "fail", None),
        ("WatchPrediction", "OK", server_stream, "text", None),
        ("WatchPrediction", "INTERNAL", server_stream, "fail", None),
    ]
    for method, code, ask, text, timeout_s in expected:
        before = counted(method, code)
        with suppress(grpc.aio.AioRpcError):
            await ask(stub, text, (), timeout_s)
        wait_until(lambda m=method, c=code, n=before: counted(m, c) == n + 1)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b"\xff\xff\xff", "MALFORMED_MESSAGE"), (b"\x12\x01\xff", "INVALID_UTF8")],
)
async def test_what_is_no_message_is_refused_and_counted(
    served: Served, channel: grpc.aio.Channel, payload: bytes, reason: str
) -> None:
    name = sample(f"{SERVICE}/Predict", "INVALID_ARGUMENT")
    before = served.metrics.get(name, 0)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary(f"/{SERVICE}/Predict")(payload)
    status: Any = rpc_status.from_call(raised.value)  # type: ignore[arg-type]
    assert error_info(status).reason == reason
    assert served.metrics[name] == before + 1


async def test_a_call_that_its_client_leaves_is_counted_as_cancelled(
    served: Served, stub: PredictionServiceStub
) -> None:
    name = sample(f"{SERVICE}/WatchPrediction", "CANCELLED")
    before = served.metrics.get(name, 0)
    call: Any = stub.WatchPrediction(pb.WatchPredictionRequest(id="wait"))
    await call.read()
    active = (
        f'rpc_server_active_calls{{rpc_method="{SERVICE}/WatchPrediction",rpc_system_name="grpc"}}'
    )
    assert served.metrics[active] == 1
    call.cancel()
    wait_until(lambda: served.metrics.get(name, 0) == before + 1)
    assert served.metrics[active] == 0


async def test_clients_cannot_make_up_series(served: Served, channel: grpc.aio.Channel) -> None:
    name = sample("_OTHER", "UNIMPLEMENTED")
    before = served.metrics.get(name, 0)
    for n in range(20):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(f"/nobody.v1.Made/Up{n}")(b"")
        status: Any = rpc_status.from_call(raised.value)  # type: ignore[arg-type]
        assert error_info(status).metadata["path"] == f"/nobody.v1.Made/Up{n}"
    metrics = served.metrics
    assert metrics[name] == before + 20
    assert not any("Made" in name for name in metrics)


async def test_the_standard_services_are_calls_as_well(
    served: Served, channel: grpc.aio.Channel
) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    call: Any = stub.Check(health_pb2.HealthCheckRequest())
    assert (await call).status == health_pb2.HealthCheckResponse.SERVING
    assert await answered_id(call)
    watch: Any = stub.Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    await asyncio.sleep(1.2 * MAX_CALL_S)
    assert not watch.done()
    watch.cancel()
    assert served.metrics[sample("grpc.health.v1.Health/Check", "OK")] >= 1
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Check(health_pb2.HealthCheckRequest(service="nobody.v1.Service"))
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def sample(rpc: str, code: str) -> str:
    labels = f'rpc_method="{rpc}",rpc_response_status_code="{code}",rpc_system_name="grpc"'
    return f"rpc_server_call_duration_seconds_count{{{labels}}}"
