"""The id of a request is in every answer, whoever makes it."""

import socket
import struct
from typing import Any
from uuid import UUID

import grpc
import pytest
from predict.v1 import prediction_service_pb2, prediction_service_pb2_grpc

from tests.integration.gateway.envoy.gateway_process import GatewayProcess

PREDICT = "/v1/models/sentiment:predict"
GRPC_WEB = {"content-type": "application/grpc-web"}
REQUESTS: dict[str, tuple[str, str, Any, dict[str, str]]] = {
    "an answer": ("POST", PREDICT, {"text": "a"}, {}),
    "a refusal by the application": ("POST", PREDICT, {"text": "refuse"}, {}),
    "a refusal by the REST front": ("POST", PREDICT, {"nosuch": 1}, {}),
    "an unknown path": ("GET", "/nowhere", None, {}),
    "a method that is not allowed": ("GET", PREDICT, None, {}),
    "a body that is too large": ("POST", PREDICT, "x" * 5_000_000, {}),
    "health": ("GET", "/healthz", None, {}),
    "a stream of events": ("GET", "/v1/predictions/x:watch", None, {}),
    "gRPC-Web": (
        "POST",
        "/predict.v1.PredictionService/Predict",
        struct.pack(">BI", 0, 0),
        GRPC_WEB,
    ),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_every_answer_has_a_new_id_or_the_clients_own(gateway: GatewayProcess, kind: str) -> None:
    method, path, body, headers = REQUESTS[kind]
    made = gateway.request(method, path, body, headers)
    assert UUID(made.headers["x-request-id"])
    own = gateway.request(method, path, body, headers | {"x-request-id": "its-own"})
    assert own.headers["x-request-id"] == "its-own"
    assert own.status == made.status


@pytest.mark.parametrize("text", ["a", "refuse"])
def test_a_grpc_answer_has_it_as_well(gateway: GatewayProcess, text: str) -> None:
    request = prediction_service_pb2.PredictRequest(text=text)
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for given in ((), (("x-request-id", "its-own"),)):
            call: Any = stub.Predict.future(request, metadata=given)
            assert bool(call.exception()) == (text == "refuse")
            metadata = dict((*call.initial_metadata(), *call.trailing_metadata()))
            assert (
                metadata["x-request-id"] == "its-own" if given else UUID(metadata["x-request-id"])
            )


@pytest.mark.parametrize(
    "request_head",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx-request-id: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx-request-id: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
    ids=["nonsense", "no host", "a NUL in the id", "a huge id"],
)
def test_what_is_no_request_gets_an_id_that_nobody_gave(
    gateway: GatewayProcess, request_head: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(request_head)
        head = connection.recv(4096).partition(b"\r\n\r\n")[0].decode()
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    assert UUID(headers["x-request-id"])
    assert head.split()[1].startswith("4")
