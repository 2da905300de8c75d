"""The other ways in at the same port: native gRPC, gRPC-Web, web pages, health."""

import struct
from typing import Any

import grpc
import pytest
from predict.v1 import prediction_service_pb2, prediction_service_pb2_grpc

from tests.integration.gateway.envoy.gateway_process import GatewayProcess

PREDICT = "/predict.v1.PredictionService/Predict"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
}


def test_native_grpc_passes_untouched(gateway: GatewayProcess) -> None:
    request = prediction_service_pb2.PredictRequest(model="sentiment", text="é")
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        assert stub.Predict(request).prediction.text == "é"
        with pytest.raises(grpc.RpcError) as error:
            stub.Predict(prediction_service_pb2.PredictRequest(text="refuse"))
    refused: Any = error.value
    assert (refused.code(), refused.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "text: no")


def test_a_native_client_cannot_speak_for_envoy(gateway: GatewayProcess) -> None:
    request = prediction_service_pb2.PredictRequest(text="a")
    metadata = (("x-envoy-original-method", "spoofed"), ("x-mine", "kept"))
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        seen = stub.Predict(request, metadata=metadata).prediction.output.label
    assert "kept" in seen
    assert "spoofed" not in seen


def test_a_rest_path_with_the_content_type_of_grpc_is_unimplemented(
    gateway: GatewayProcess,
) -> None:
    headers = {"content-type": "application/grpc", "te": "trailers"}
    answer = gateway.request("POST", "/v1/models/sentiment:predict", b"\0\0\0\0\0", headers)
    assert answer.headers["grpc-status"] == "12"


@pytest.mark.parametrize("content_type", ["application/grpc-web", "application/grpc-web+proto"])
def test_grpc_web_gets_its_message_and_trailers(gateway: GatewayProcess, content_type: str) -> None:
    request = prediction_service_pb2.PredictRequest(text="é").SerializeToString()
    body = struct.pack(">BI", 0, len(request)) + request
    answer = gateway.request("POST", PREDICT, body, {"content-type": content_type})
    assert answer.status == 200
    _, size = struct.unpack(">BI", answer.body[:5])
    message = prediction_service_pb2.PredictResponse.FromString(answer.body[5 : 5 + size])
    assert message.prediction.text == "é"
    trailers = answer.body[5 + size :]
    assert trailers[0] == 0x80
    assert b"grpc-status:0" in trailers


def test_a_listed_web_page_may_call(gateway: GatewayProcess) -> None:
    origin = {"origin": "https://app.example.com"}
    preflight = gateway.request("OPTIONS", PREDICT, headers=origin | PREFLIGHT)
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == "https://app.example.com"
    assert {"content-type", "x-session-id"} < set(
        preflight.headers["access-control-allow-headers"].split(", ")
    )
    answer = gateway.request("GET", "/v1/models", headers=origin)
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"


def test_another_web_page_may_not_call(gateway: GatewayProcess) -> None:
    origin = {"origin": "https://evil.example.com"}
    preflight = gateway.request("OPTIONS", "/v1/models", headers=origin | PREFLIGHT)
    assert preflight.status == 405
    answer = gateway.request("GET", "/v1/models", headers=origin)
    assert "access-control-allow-origin" not in answer.headers


def test_a_web_page_may_give_and_read_the_id_of_a_request(gateway: GatewayProcess) -> None:
    origin = {"origin": "https://app.example.com"}
    preflight = gateway.request("OPTIONS", PREDICT, headers=origin | PREFLIGHT)
    assert {"x-request-id", "traceparent"} < set(
        preflight.headers["access-control-allow-headers"].split(", ")
    )
    answer = gateway.request("GET", "/v1/models", headers=origin)
    assert "x-request-id" in answer.headers["access-control-expose-headers"].split(", ")
    assert answer.headers["x-request-id"]


def test_healthz_answers_without_the_application(gateway: GatewayProcess) -> None:
    answer = gateway.request("GET", "/healthz")
    assert (answer.status, answer.body) == (200, b"")
