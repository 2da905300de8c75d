"""What is no request at all: refused in the form of every other error, and nothing is stored."""

import json
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import code_pb2
from predict.v1.prediction_service_pb2 import PredictRequest

from tests.e2e.mesh import Mesh
from tests.parts.doors import failed, refused
from tests.parts.refusals import UNKNOWN, check

JSON = {"content-type": "application/json"}
PREDICT = "/v1/models/sentiment:predict"


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("body", "reason", "fields"),
    [
        (b"{", "MALFORMED_JSON", []),
        (b'{"text": "a"} x', "MALFORMED_JSON", []),
        (b"{'text': 'a'}", "MALFORMED_JSON", []),
        (b'{"text": "a\nb"}', "MALFORMED_JSON", []),
        (b"[" * 100_000, "MALFORMED_JSON", []),
        (b'["a"]', "WRONG_TYPE", [""]),
        (b'"a"', "WRONG_TYPE", [""]),
        (b'{"text": 5}', "WRONG_TYPE", ["text"]),
        (b'{"text": ["a"]}', "WRONG_TYPE", ["text"]),
        (b'{"text": {"a": 1}}', "WRONG_TYPE", ["text"]),
        (b'{"text": true}', "WRONG_TYPE", ["text"]),
        (b'{"txt": "a"}', "UNKNOWN_FIELD", ["txt"]),
        (b'{"text": "a", "Text": "a"}', "UNKNOWN_FIELD", ["Text"]),
        (b'{"text": "a", "text": "b"}', "DUPLICATE_FIELD", ["text"]),
        (b'{"text": "a", "requestId": "", "request_id": ""}', "DUPLICATE_FIELD", ["request_id"]),
        (b'{"text": "a", "model": "genre"}', "DUPLICATE_FIELD", ["model"]),
        (b'{"text": "\xff\xfe"}', "INVALID_UTF8", ["text"]),
        (b'{"text": "\xed\xa0\x80"}', "INVALID_UTF8", ["text"]),
        (b'{"text": "\\ud800"}', "INVALID_UTF8", ["text"]),
        (b"{}", "TEXT_EMPTY", ["text"]),
        (b"", "TEXT_EMPTY", ["text"]),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else "",
)
def test_a_bad_body_is_refused_by_rest(
    mesh: Mesh, body: bytes, reason: str, fields: list[str]
) -> None:
    answer = refused(mesh.rest.client.post(PREDICT, content=body, headers=JSON))
    check(answer, code_pb2.INVALID_ARGUMENT, reason, *fields)


ONE = f"/v1/predictions/{UNKNOWN}"


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (f"{ONE}?nosuch=1", "UNKNOWN_FIELD"),
        (f"{ONE}?id=1", "DUPLICATE_FIELD"),
        (f"{ONE}:wait?timeout=5", "WRONG_TYPE"),
        ("/v1/predictions/%FF", "INVALID_UTF8"),
        ("/v1/predictions?state=DONE", "WRONG_TYPE"),
        ("/v1/predictions?page_size=x", "WRONG_TYPE"),
        ("/v1/predictions?page_size=1&page_size=2", "DUPLICATE_FIELD"),
        ("/v1/predictions?page_size=1&pageSize=2", "DUPLICATE_FIELD"),
        ("/v1/predictions?start_time=today", "WRONG_TYPE"),
    ],
)
def test_a_bad_query_is_refused_by_rest(mesh: Mesh, path: str, reason: str) -> None:
    answer = refused(mesh.rest.client.get(path))
    check(answer, code_pb2.INVALID_ARGUMENT, reason, answer.info.metadata["field"])


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1/nothing"),
        ("POST", "/v2/models/sentiment:predict"),
        ("POST", "/v1/models/sentiment:forget"),
        ("POST", "/v1/models/:predict"),
        ("GET", f"{ONE}:cancels"),
        ("GET", f"{ONE}/"),
    ],
)
def test_a_path_that_is_bound_to_nothing_is_not_found(mesh: Mesh, method: str, path: str) -> None:
    answer = refused(mesh.rest.client.request(method, path))
    check(answer, code_pb2.NOT_FOUND, "PATH_NOT_FOUND")


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", PREDICT, "POST"),
        ("PATCH", ONE, "DELETE, GET"),
        ("PUT", "/v1/models", "GET"),
        ("POST", "/v1/predictions", "GET"),
        ("GET", f"{ONE}:cancel", "POST"),
    ],
)
def test_another_method_than_those_of_the_path_is_not_allowed(
    mesh: Mesh, method: str, path: str, allowed: str
) -> None:
    response = mesh.rest.client.request(method, path)
    assert response.status_code == httpx.codes.METHOD_NOT_ALLOWED
    assert response.headers["allow"] == allowed
    check(refused(response), code_pb2.UNIMPLEMENTED, "METHOD_NOT_ALLOWED")


@pytest.mark.usefixtures("nothing_stored")
def test_a_body_over_the_limit_is_refused_by_rest(mesh: Mesh) -> None:
    body = json.dumps({"text": "x" * 9_000_000}).encode()
    response = mesh.rest.client.post(PREDICT, content=body, headers=JSON)
    assert response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    check(refused(response), code_pb2.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("payload", "reason", "fields"),
    [
        (b"\x0a\x09sentiment\x12\x02\xff\xfe", "INVALID_UTF8", ["text"]),
        (b"\x0a\x02\xff\xfe\x12\x01a", "INVALID_UTF8", ["model"]),
        (b"\x0a\x09sentiment\x12\x7fa", "MALFORMED_MESSAGE", []),
        (b"\xff\xff\xff\xff", "MALFORMED_MESSAGE", []),
    ],
)
def test_a_bad_message_is_refused_by_grpc(
    mesh: Mesh, payload: bytes, reason: str, fields: list[str]
) -> None:
    check(mesh.grpc.send("Predict", payload), code_pb2.INVALID_ARGUMENT, reason, *fields)


@pytest.mark.usefixtures("nothing_stored")
def test_a_message_over_the_limit_is_refused_by_grpc(mesh: Mesh) -> None:
    answer = mesh.grpc.call("Predict", PredictRequest(model="sentiment", text="x" * 9_000_000))
    check(answer, code_pb2.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")


@pytest.mark.parametrize(
    "path", ["/predict.v1.PredictionService/Forget", "/predict.v2.PredictionService/Predict", "/x"]
)
def test_an_unknown_method_is_unimplemented(mesh: Mesh, path: str) -> None:
    call: Any = mesh.grpc.channel.unary_unary(path)
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", timeout=10)
    assert failed(raised.value).status.code == code_pb2.UNIMPLEMENTED
