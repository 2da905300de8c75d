"""The load balancer in front of gateways: it decides nothing, and refuses as they do."""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from predict.v1.prediction_service_pb2 import PredictRequest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from contract.errors import ShuttingDown
from contract.status import status_from_json, to_status
from gateway.envoy.config import MAX_HEADERS
from pmesh.stack.balancer import bootstrap
from tests.integration.gateway.envoy.access.guarded import (
    REST,
    Headers,
    Reply,
    predict,
    send,
)
from tests.integration.gateway.envoy.gateway_process import GatewayProcess, echo_settings
from tests.parts.balancer import balancing
from tests.parts.ports import free_port

JSON = [("content-type", "application/json")]
WELL = ("well", "dots", "two slashes")
REQUESTS: dict[str, tuple[str, str, Headers, bytes]] = {
    "well": ("POST", REST, JSON, b'{"text": "a"}'),
    "large headers": ("GET", "/v1/models", [("x-long", "a" * 70_000)], b""),
    "headers too large for it as well": ("GET", "/v1/models", [("x-long", "a" * 200_000)], b""),
    "many headers": ("GET", "/v1/models", [(f"x-{n}", "a") for n in range(MAX_HEADERS)], b""),
    "more headers than it takes itself": (
        *("GET", "/v1/models"),
        [(f"x-{n}", "a") for n in range(3 * MAX_HEADERS)],
        b"",
    ),
    "a large body": ("POST", REST, JSON, b'{"text":"a"}'.ljust(5 * 1024 * 1024)),
    "no path": ("GET", "v1/models", [], b""),
    "a path with a part behind it": ("GET", "/v1/models#a", [], b""),
    "a path with a byte that is none": ("GET", "/v1/models/\xff", [], b""),
    "dots": ("GET", "/v1/x/../models", [], b""),
    "two slashes": ("GET", "//v1//models", [], b""),
    "a header with a NUL": ("GET", "/v1/models", [("x-odd", b"a\0b")], b""),
    "a name with a space": ("GET", "/v1/models", [("x odd", "a")], b""),
    "two lengths": ("POST", REST, [*JSON, ("content-length", "3")], b'{"text": "a"}'),
    "a length that is none": ("POST", REST, [*JSON, ("content-length", "x")], b""),
    "another method": ("TRACE", "/v1/models", [], b""),
    "an unknown method": ("BREW", "/v1/models", [], b""),
    "nothing there": ("GET", "/v1/nothing", [], b""),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    log = tmp_path_factory.mktemp("gateway") / "log"
    with GatewayProcess(log=log, settings=echo_settings()) as process:
        yield process


@pytest.fixture(scope="module")
def balancer(gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    config = bootstrap(port=free_port(), admin_port=free_port(), gateways=[gateway.port])
    with balancing(tmp_path_factory.mktemp("balancer"), config) as port:
        yield port


def told(reply: Reply) -> tuple[int, str, bytes]:
    """What a client goes by; a well answer tells of the headers that came, which are others."""
    body = b"" if reply.reached else reply.body
    return reply.status, reply.headers.get("content-type", ""), body


@pytest.mark.parametrize("name", REQUESTS)
def test_what_a_gateway_says_is_said_through_it_too(
    gateway: GatewayProcess, balancer: int, name: str
) -> None:
    directly, through = (told(send(port, *REQUESTS[name])) for port in (gateway.port, balancer))
    assert through == directly
    assert (directly[0] == 200) == (name in WELL)


@pytest.mark.parametrize("count", [MAX_HEADERS + 1, 3 * MAX_HEADERS])
def test_what_a_gateway_does_not_answer_is_not_asked_for_again(
    gateway: GatewayProcess, balancer: int, count: int
) -> None:
    for port in (gateway.port, balancer):
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = PredictionServiceStub(channel)
            with pytest.raises(grpc.RpcError) as refused:
                stub.Predict(PredictRequest(), metadata=[(f"x-{n}", "a") for n in range(count)])
        assert refused.value.code() is grpc.StatusCode.INTERNAL  # type: ignore[attr-defined]


def test_where_there_is_no_gateway_it_says_so_as_one(tmp_path: Path) -> None:
    config = bootstrap(port=free_port(), admin_port=free_port(), gateways=[free_port()])
    with balancing(tmp_path, config) as port:
        by_rest = predict(port, "rest")
        by_grpc = predict(port, "grpc").headers
        by_web = {
            protocol: predict(port, protocol)
            for protocol in ("grpc-web", "grpc-web+proto", "grpc-web-text", "grpc-web-text+proto")
        }
    said = to_status(ShuttingDown())
    assert any(detail.Is(RetryInfo.DESCRIPTOR) for detail in said.details)
    assert (by_rest.status, status_from_json(json.loads(by_rest.body))) == (503, said)
    assert status_of(by_grpc) == said
    for protocol, reply in by_web.items():
        kind = f"application/{protocol.removesuffix('+proto')}+proto"
        assert (reply.status, reply.headers["content-type"]) == (200, kind)
        body = base64.b64decode(reply.body) if "text" in protocol else reply.body
        assert body[:5] == b"\x80" + (len(body) - 5).to_bytes(4, "big")
        lines = body[5:].decode().splitlines()
        assert status_of(dict(line.split(":", 1) for line in lines)) == said


def status_of(trailers: Mapping[str, str]) -> Status:
    """Of gRPC's trailers, which say it twice."""
    details = trailers["grpc-status-details-bin"]
    status = Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    assert int(trailers["grpc-status"]) == status.code
    assert trailers["grpc-message"] == status.message
    return status
