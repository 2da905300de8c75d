"""Who a call is taken for, and what needs no token."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from predict.v1 import prediction_service_pb2 as pb
from predict.v1 import prediction_service_pb2_grpc
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from contract.access import policy
from gateway import request_context
from gateway.app import SERVICES, interceptors
from gateway.envoy.authentication import authenticate
from gateway.interceptors.intercepted import Intercepted
from gateway.metrics.calls import Calls
from gateway.servicers import standard
from gateway.settings import Settings
from gateway.verified_token import CLOCK_SKEW_S
from tests.integration.gateway.access.conftest import TOKENS
from tests.integration.gateway.access.serving import ISSUER, Caller, reason_of, verified
from tests.parts.polling import PATIENCE_S

ACCESS = policy(TOKENS | {"roles_claim": "groups"}, {"app": {"predict": ["*"]}}, {})
REQUEST = pb.PredictRequest(model="words", text="good")


class Echo(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Tells whom it takes a call for."""

    async def Predict(self, request: Any, context: Any) -> Any:
        return pb.PredictResponse(prediction={"text": request_context.current().caller})

    async def WatchPrediction(self, request: Any, context: Any) -> Any:
        """Without end."""
        yield pb.WatchPredictionResponse()
        await asyncio.Event().wait()

    async def StreamPredict(self, request_iterator: Any, context: Any) -> Any:
        """As long as its client sends."""
        async for _ in request_iterator:
            yield pb.StreamPredictResponse()

    async def WaitPrediction(self, request: Any, context: Any) -> Any:
        await asyncio.Event().wait()


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server()
    registry: Any = Intercepted(
        server, interceptors(Settings(caller_header="x-forwarded-user"), Calls(), ACCESS)
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Echo(), registry)
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, registry)
    await servicer.set("", HealthCheckResponse.SERVING)
    standard.add_reflection(registry, SERVICES)
    without_a_rule = {"Ask": grpc.unary_unary_rpc_method_handler(lambda request, context: b"told")}
    registry.add_registered_method_handlers("a.New", without_a_rule)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


APP = verified({"sub": "ann", "groups": ["app"]})
NOBODY = verified({"sub": "ann", "groups": []})


async def reason(call: Any) -> str:
    """Why a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    status: Any = rpc_status.from_call(raised.value)  # type: ignore[arg-type]
    return reason_of(status)


@pytest.mark.parametrize(
    "name", ["ann", "google-oauth2|1234", "Ann of the team <a@b.c>", "x" * 256]
)
async def test_the_caller_is_whom_the_token_is_for(channel: grpc.aio.Channel, name: str) -> None:
    asked = PredictionServiceStub(channel).Predict(
        REQUEST,
        metadata=(*verified({"sub": name, "groups": ["app"]}), ("x-forwarded-user", "eve")),
    )
    assert (await asked).prediction.text == name


@pytest.mark.parametrize("name", ["", " ann", "ann\n", "ännchen", "x" * 257, None, 7, ["ann"]])
async def test_a_token_for_nobody_who_could_be_named_is_refused(
    channel: grpc.aio.Channel, name: Any
) -> None:
    call = PredictionServiceStub(channel).Predict(
        REQUEST, metadata=verified({"sub": name, "groups": ["app"]})
    )
    assert await reason(call) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "groups", [None, "app", {"app": True}, [["app"]], [7], ["App"], ["app "], []]
)
async def test_what_is_no_list_of_known_roles_gives_nothing(
    channel: grpc.aio.Channel, groups: Any
) -> None:
    call = PredictionServiceStub(channel).Predict(
        REQUEST, metadata=verified({"sub": "ann", "groups": groups, "roles": ["app"]})
    )
    assert await reason(call) == "PERMISSION_DENIED"


def bearer(header: bytes, payload: bytes) -> str:
    encoded = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (header, payload))
    return f"Bearer {'.'.join(encoded)}.c2lnbmVk"


GOOD = bearer(b'{"alg":"ES256"}', b'{"sub":"ann","groups":["app"]}')


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer a.b",
        f"Bearer{GOOD.removeprefix('Bearer')}.c",
        GOOD.removeprefix("Bearer "),
        GOOD.replace("Bearer ", "Bearer !"),
        f"{GOOD},{GOOD}",
        f"{GOOD} more",
        GOOD.replace("Bearer", "bearer"),
        GOOD.replace(".", "=.", 1),
        bearer(b'{"alg":"ES256"}', b"[]"),
        bearer(b'{"alg":"ES256"}', b"{"),
        bearer(b"[]", b'{"sub":"ann","groups":["app"]}'),
        bearer(b'{"alg":"ES256","crit":[]}', b'{"sub":"ann","groups":["app"]}'),
        bearer(b'{"alg":"ES256","\\u0063rit":null}', b'{"sub":"ann","groups":["app"]}'),
    ],
)
async def test_what_is_no_token_that_we_can_take_names_nobody(
    channel: grpc.aio.Channel, authorization: str
) -> None:
    stub = PredictionServiceStub(channel)
    verified = ("x-pmesh-issuer", ISSUER)
    sent = (verified, ("authorization", authorization))
    assert await reason(stub.Predict(REQUEST, metadata=sent)) == "UNAUTHENTICATED"
    answer = await stub.Predict(REQUEST, metadata=(verified, ("authorization", GOOD)))
    assert answer.prediction.text == "ann"


@pytest.mark.parametrize("issuer", [None, "", "https://b.example/", "https://a.example"])
async def test_a_token_that_nobody_has_verified_names_nobody(
    channel: grpc.aio.Channel, issuer: str | None
) -> None:
    said = () if issuer is None else (("x-pmesh-issuer", issuer),)
    call = PredictionServiceStub(channel).Predict(
        REQUEST, metadata=(*said, ("authorization", GOOD))
    )
    assert await reason(call) == "UNAUTHENTICATED"


async def test_a_token_too_long_to_be_remembered_is_read_each_time(
    channel: grpc.aio.Channel,
) -> None:
    long = verified({"sub": "ann", "groups": ["app"], "more": "x" * 5000})
    for _ in range(2):
        answer = await PredictionServiceStub(channel).Predict(REQUEST, metadata=long)
        assert answer.prediction.text == "ann"


async def test_health_needs_no_token_and_reflection_any_role(channel: grpc.aio.Channel) -> None:
    check = health_pb2_grpc.HealthStub(channel).Check
    assert (await check(HealthCheckRequest())).status == HealthCheckResponse.SERVING
    reflect = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    assert await reason(reflect([asked]).read()) == "UNAUTHENTICATED"
    assert await reason(reflect([asked], metadata=NOBODY).read()) == "PERMISSION_DENIED"
    assert (await reflect([asked], metadata=APP).read()).list_services_response.service


@pytest.mark.parametrize("left_s", [3, -1000])
async def test_a_call_that_lasts_ends_with_its_token(
    channel: grpc.aio.Channel, left_s: int
) -> None:
    """As one that begins then is refused."""
    until = int(time.time()) - CLOCK_SKEW_S + left_s
    ending = verified({"sub": "ann", "groups": ["app"], "exp": until})
    stub = PredictionServiceStub(channel)
    watch = stub.WatchPrediction(pb.WatchPredictionRequest(id=str(uuid4())), metadata=ending)
    stream = stub.StreamPredict(metadata=ending)
    reflect = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
        metadata=ending
    )
    if left_s > 0:
        await stream.write(pb.StreamPredictRequest(request=REQUEST))
        assert await stream.read() == pb.StreamPredictResponse()
    async with asyncio.timeout(PATIENCE_S):
        assert await reason(collected(watch)) == "UNAUTHENTICATED"
        assert await reason(stream.read()) == "UNAUTHENTICATED"
        assert await reason(collected(reflect)) == "UNAUTHENTICATED"
        wait = stub.WaitPrediction(pb.WaitPredictionRequest(id=str(uuid4())), metadata=ending)
        assert await reason(wait) == "UNAUTHENTICATED"


async def collected(call: Any) -> list[Any]:
    return [message async for message in call]


@pytest.mark.parametrize("end", [1e300, "soon", None, True])
async def test_what_is_no_end_of_a_token_ends_nothing(channel: grpc.aio.Channel, end: Any) -> None:
    """Whether a token needs one, Envoy says."""
    lasting = verified({"sub": "ann", "groups": ["app"], "exp": end})
    stream = PredictionServiceStub(channel).StreamPredict(metadata=lasting)
    await stream.write(pb.StreamPredictRequest(request=REQUEST))
    assert await stream.read() == pb.StreamPredictResponse()
    await stream.done_writing()
    assert await stream.code() is grpc.StatusCode.OK


def test_a_token_lasts_as_long_as_envoy_has_it() -> None:
    written = json.dumps(authenticate(ACCESS.tokens, Path("keys.json")))
    assert f'"clock_skew_seconds": {CLOCK_SKEW_S},' in written


async def test_an_rpc_without_a_rule_is_for_nobody(channel: grpc.aio.Channel) -> None:
    ask = channel.unary_unary("/a.New/Ask")
    assert await reason(ask(b"")) == "UNAUTHENTICATED"
    assert await reason(ask(b"", metadata=APP)) == "PERMISSION_DENIED"


async def test_permission_comes_before_whether_a_request_is_a_message(
    channel: grpc.aio.Channel,
) -> None:
    ask = channel.unary_unary("/predict.v1.PredictionService/Predict")
    assert await reason(ask(b"\xff")) == "UNAUTHENTICATED"
    assert await reason(ask(b"\xff", metadata=NOBODY)) == "PERMISSION_DENIED"
    assert await reason(ask(b"\xff", metadata=APP)) == "MALFORMED_MESSAGE"


async def test_which_rpcs_there_are_is_told_to_whom_is_known(channel: grpc.aio.Channel) -> None:
    ask = channel.unary_unary("/predict.v1.PredictionService/Forget")
    assert await reason(ask(b"")) == "UNAUTHENTICATED"
    assert await reason(ask(b"", metadata=Caller("ann").metadata)) == "PATH_NOT_FOUND"
