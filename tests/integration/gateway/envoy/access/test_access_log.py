"""The access log: a line for each request, with what its caller was told."""

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from predict.v1.prediction_service_pb2 import PredictRequest, WatchPredictionRequest

from tests.integration.gateway.envoy.access.guarded import (
    PREDICT,
    REST,
    GatewayProcess,
    Headers,
    bearer,
    guarded,
    send,
)
from tests.integration.gateway.envoy.gateway_process import echo_settings
from tests.parts.issuer import Issuer
from tests.parts.otlp_receiver import receiving_spans
from tests.parts.polling import wait_until

CANARY = "CANARY"
WATCH = "/predict.v1.PredictionService/WatchPrediction"
JSON, GRPC = ("content-type", "application/json"), ("content-type", "application/grpc")
WEB = ("content-type", "application/grpc-web+proto")


class Request(NamedTuple):
    """What is asked, and what the log is to say of it."""

    method: str
    path: str
    kind: tuple[str, str]
    body: bytes
    said: dict[str, Any]


def framed(message: Any) -> bytes:
    body: bytes = message.SerializeToString()
    return b"\0" + len(body).to_bytes(4, "big") + body


def rest(method: str, path: str, body: bytes, status: int, **said: Any) -> Request:
    return Request(method, path, JSON, body, {"protocol": "rest", "status": status, **said})


def grpc(
    path: str, message: Any, status: str, *, kind: tuple[str, str] = GRPC, protocol: str = "grpc"
) -> Request:
    said = {"protocol": protocol, "status": 200, "grpc_status": status}
    return Request("POST", path, kind, framed(message), said)


def web(path: str, message: Any, status: str) -> Request:
    return grpc(path, message, status, kind=WEB, protocol="grpc-web")


WELL, ILL = PredictRequest(text=CANARY), PredictRequest(text="refuse", model=CANARY)
STREAM, BROKEN = WatchPredictionRequest(id="x"), WatchPredictionRequest(id="refuse")
REQUESTS = {
    "REST": rest("POST", REST, b'{"text": "CANARY"}', 200, grpc_status="OK"),
    "REST, refused by the application": rest(
        "POST", REST, b'{"text": "refuse"}', 400, grpc_status="INVALID_ARGUMENT"
    ),
    "REST, not implemented": rest(
        "POST", "/v1/predictions/x/labels", b"{}", 501, grpc_status="UNIMPLEMENTED"
    ),
    "REST, refused by the REST front": rest(
        *("POST", f"{REST}?a={CANARY}", b'{"CANARY": 1}', 400),
        grpc_status="INVALID_ARGUMENT",
        reason="UNKNOWN_FIELD",
    ),
    "REST, refused by the transcoder": rest(
        *("GET", "/v1/predictions/x:wait?timeout=CANARY", b"", 400),
        grpc_status="INVALID_ARGUMENT",
        reason="WRONG_TYPE",
    ),
    "REST, too large": rest(
        *("POST", REST, b"x" * 5_000_000, 413),
        grpc_status="RESOURCE_EXHAUSTED",
        reason="MESSAGE_TOO_LARGE",
    ),
    "REST, nowhere": rest(
        *("GET", "/nowhere?a=CANARY", b"", 404),
        grpc_status="NOT_FOUND",
        reason="PATH_NOT_FOUND",
    ),
    "REST, a stream": rest("GET", "/v1/predictions/x:watch", b"", 200, grpc_status="OK"),
    "REST, a stream that breaks": rest(
        "GET", "/v1/predictions/refuse:watch", b"", 200, grpc_status="INVALID_ARGUMENT"
    ),
    "gRPC": grpc(PREDICT, WELL, "OK"),
    "gRPC, refused": grpc(PREDICT, ILL, "INVALID_ARGUMENT"),
    "gRPC, a stream": grpc(WATCH, STREAM, "OK"),
    "gRPC, a stream that breaks": grpc(WATCH, BROKEN, "INVALID_ARGUMENT"),
    "gRPC, nowhere": grpc("/no.such/Thing", WELL, "UNIMPLEMENTED"),
    "gRPC-Web": web(PREDICT, WELL, "OK"),
    "gRPC-Web, refused": web(PREDICT, ILL, "INVALID_ARGUMENT"),
    "gRPC-Web, a stream": web(WATCH, STREAM, "OK"),
    "gRPC-Web, a stream that breaks": web(WATCH, BROKEN, "INVALID_ARGUMENT"),
}


def lines(gateway: GatewayProcess) -> list[dict[str, Any]]:
    assert gateway.settings.access_log
    return [json.loads(line) for line in gateway.settings.access_log.read_text().splitlines()]


def line(
    gateway: GatewayProcess, method: str, path: str, headers: Headers = (), body: bytes = b""
) -> dict[str, Any]:
    """What the log says of one request."""
    own = str(uuid4())
    send(gateway.port, method, path, [*headers, ("x-request-id", own)], body)
    wait_until(lambda: any(line["request_id"] == own for line in lines(gateway)))
    (found,) = [line for line in lines(gateway) if line["request_id"] == own]
    return found


@pytest.fixture(scope="module")
def gateway(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("logged")
    (folder / "jwks.json").write_bytes(issuer.jwks())
    keys, log = str(folder / "jwks.json"), folder / "access.log"
    with (
        receiving_spans() as receiver,
        guarded(folder, jwks=keys, access_log=log, environment=receiver.environment) as process,
    ):
        yield process
    assert CANARY not in log.read_text()


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_line_says_what_the_caller_was_told(
    gateway: GatewayProcess, issuer: Issuer, kind: str
) -> None:
    method, path, content_type, body, said = REQUESTS[kind]
    token = bearer(issuer.token(roles=["app", "annotator", "operator"]))
    found = line(gateway, method, path, [content_type, ("te", "trailers"), *token], body)
    assert found | said == found
    assert found["caller"] == "ann"
    assert (found["method"], found["path"]) == (method, path.partition("?")[0])
    assert found["reason"] == said.get("reason")
    assert len(found["trace_id"]) == 32
    assert found["duration_ms"] >= 0
    assert found["bytes_in"] == len(body) or found["status"] >= 400  # refused before it was read


@pytest.mark.parametrize(
    ("path", "kind", "body", "said"),
    [
        (REST, JSON, b"{}", {"protocol": "rest", "status": 401}),
        (PREDICT, GRPC, bytes(5), {"protocol": "grpc", "grpc_status": "UNAUTHENTICATED"}),
        (PREDICT, WEB, bytes(5), {"protocol": "grpc-web", "grpc_status": "UNAUTHENTICATED"}),
    ],
    ids=["rest", "grpc", "grpc-web"],
)
def test_a_line_names_no_caller_whom_nobody_verified(
    gateway: GatewayProcess, path: str, kind: tuple[str, str], body: bytes, said: dict[str, Any]
) -> None:
    token = bearer(Issuer().token(roles=["app"], sub=CANARY))
    found = line(gateway, "POST", path, [kind, ("te", "trailers"), *token], body)
    assert found | said == found
    assert found["caller"] is None
    assert found["details"].startswith("jwt_authn_access_denied")


def test_what_is_no_request_has_a_line_too(gateway: GatewayProcess) -> None:
    before = len(lines(gateway))
    send(gateway.port, f"{CANARY} {CANARY} {CANARY}", "/")
    wait_until(lambda: len(lines(gateway)) > before)
    assert lines(gateway)[-1]["status"] == 400


RESTS = WatchPredictionRequest(id="rests")


@pytest.mark.parametrize(
    ("method", "path", "kind", "body"),
    [("GET", "/v1/predictions/rests:watch", JSON, b""), ("POST", WATCH, WEB, framed(RESTS))],
    ids=["rest", "grpc-web"],
)
def test_no_message_waits_for_the_status_at_the_end(
    gateway: GatewayProcess,
    issuer: Issuer,
    method: str,
    path: str,
    kind: tuple[str, str],
    body: bytes,
) -> None:
    headers = dict([kind, *bearer(issuer.token(roles=["app"]))])
    with closing(HTTPConnection("127.0.0.1", gateway.port, timeout=100)) as connection:
        connection.request(method, path, body, headers)
        assert connection.getresponse().read(1)


def test_a_long_path_is_cut(gateway: GatewayProcess) -> None:
    found = line(gateway, "GET", f"/v1/{'x' * 10_000}")
    assert len(found["path"]) == 256


def test_a_proxy_in_front_says_who_calls(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    settings = echo_settings(access_log=log, caller_header="x-forwarded-user")
    with GatewayProcess(log=tmp_path / "log", settings=settings) as gateway:
        found = line(gateway, "GET", "/v1/models", [("x-forwarded-user", "alice")])
        assert (found["caller"], found["trace_id"]) == ("alice", None)
