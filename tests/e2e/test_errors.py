"""What is refused: with the right code, reason and field, the same through both doors.

Nothing is stored of it, and nothing internal is shown.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, status_pb2
from predict.v1 import model_service_pb2 as models
from predict.v1 import prediction_service_pb2 as pb

from tests.e2e.doors import Answer, Door, failed, refused
from tests.e2e.mesh import Mesh
from tests.e2e.texts import CANARY, new_text, new_texts

INTERNAL = re.compile(
    r"Traceback|\.py\b|File \"|site-packages|/tmp/|psycopg|(?i:\bselect\b|\binsert\b).*(?i:\bfrom\b|\binto\b)"
    r"|arn:|s3://|triton|Error\b|Exception|127\.0\.0\.1|localhost|<class"
)
TOKEN_OF_ANOTHER_LIST = "AAAAAAAAAAAwMTkwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA="  # noqa: S105
UNKNOWN = "01900000-0000-7000-8000-000000000000"
TABLES = ("requests", "predictions", "request_ids")


@dataclass(frozen=True)
class Case:
    """A request that both protocols can express."""

    name: str
    rpc: str
    request: Message
    code: int
    reason: str
    field: str = ""


def predict(**fields: Any) -> pb.PredictRequest:
    return pb.PredictRequest(**{"model": "sentiment", "text": new_text(), **fields})


def create(**fields: Any) -> pb.CreatePredictionRequest:
    return pb.CreatePredictionRequest(**{"model": "sentiment", "text": new_text(), **fields})


def invalid(name: str, rpc: str, request: Message, reason: str, field: str) -> Case:
    return Case(name, rpc, request, code_pb2.INVALID_ARGUMENT, reason, field)


def not_found(name: str, rpc: str, request: Message, reason: str) -> Case:
    return Case(name, rpc, request, code_pb2.NOT_FOUND, reason)


def batch(texts: list[str], **fields: Any) -> pb.BatchPredictRequest:
    return pb.BatchPredictRequest(
        model="sentiment", entries=[{"text": text} for text in texts], **fields
    )


def cases() -> Iterator[Case]:
    for rpc, ask in (("Predict", predict), ("CreatePrediction", create)):
        yield invalid("no text", rpc, ask(text=""), "TEXT_EMPTY", "text")
        yield invalid("blank", rpc, ask(text=" \t\r\n\u2003"), "TEXT_BLANK", "text")
        yield invalid(
            "one byte too long", rpc, ask(text="é" * 32_768 + "x"), "TEXT_TOO_LONG", "text"
        )
        yield invalid("NUL", rpc, ask(text=f"{CANARY}\0"), "TEXT_HAS_NUL", "text")
        yield invalid("a bad request_id", rpc, ask(request_id="7"), "INVALID_ID", "request_id")
        yield invalid("a bad version", rpc, ask(version="0"), "INVALID_ID", "version")
        yield not_found("an unknown model", rpc, ask(model="nosuch"), "MODEL_NOT_FOUND")
        yield not_found("no id of a model", rpc, ask(model="No such 'model'"), "MODEL_NOT_FOUND")
    yield not_found("an unknown version", "Predict", predict(version="999"), "VERSION_NOT_FOUND")
    yield invalid("no entries", "BatchPredict", batch([]), "BATCH_SIZE", "entries")
    yield invalid("257 entries", "BatchPredict", batch(new_texts(257)), "BATCH_SIZE", "entries")
    for seconds in (0, -1, 8 * 86_400):
        ttl = Duration(seconds=seconds)
        yield invalid(f"{seconds} s", "CreatePrediction", create(ttl=ttl), "OUT_OF_RANGE", "ttl")
    for rpc, ask_by_id in (
        ("GetPrediction", pb.GetPredictionRequest),
        ("WaitPrediction", pb.WaitPredictionRequest),
        ("WatchPrediction", pb.WatchPredictionRequest),
        ("CancelPrediction", pb.CancelPredictionRequest),
    ):
        for bad in ("7", UNKNOWN.replace("-", ""), "{" + UNKNOWN + "}", "'; --"):
            yield invalid(f"id {bad}", rpc, ask_by_id(id=bad), "INVALID_ID", "id")
        yield not_found("an unknown id", rpc, ask_by_id(id=UNKNOWN), "PREDICTION_NOT_FOUND")
    for seconds in (0, -1, 301):
        wait = pb.WaitPredictionRequest(id=UNKNOWN, timeout=Duration(seconds=seconds))
        yield invalid(f"{seconds} s", "WaitPrediction", wait, "OUT_OF_RANGE", "timeout")
    for rpc, ask_list in (
        ("ListPredictions", pb.ListPredictionsRequest),
        ("ListModels", models.ListModelsRequest),
    ):
        for size in (-1, 1001, 2**31 - 1):
            request = ask_list(page_size=size)
            yield invalid(f"page_size {size}", rpc, request, "OUT_OF_RANGE", "page_size")
        for token in ("?", "abcd", TOKEN_OF_ANOTHER_LIST, "A" * 5000):
            request = ask_list(page_token=token)
            yield invalid(f"token {token[:9]}", rpc, request, "INVALID_PAGE_TOKEN", "page_token")
    yield not_found(
        "an unknown model", "GetModel", models.GetModelRequest(model="nosuch"), "MODEL_NOT_FOUND"
    )


@pytest.fixture
def nothing_stored(mesh: Mesh) -> Iterator[None]:
    def sizes() -> list[tuple[Any, ...]]:
        return [mesh.query(f"SELECT count(*) FROM {table}")[0] for table in TABLES]  # noqa: S608

    before = sizes()
    yield
    assert sizes() == before


def check(answer: Answer, code: int, reason: str, field: str = "") -> None:
    assert (answer.status.code, answer.info.reason) == (code, reason)
    assert answer.info.domain == "predict.v1"
    assert answer.fields == ([field] if field else [])
    assert answer.status.message
    assert not INTERNAL.search(answer.text), answer.text


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("case", list(cases()), ids=lambda case: f"{case.rpc}: {case.name}")
def test_a_bad_request_is_refused_alike_by_grpc_and_rest(mesh: Mesh, case: Case) -> None:
    by_grpc = mesh.grpc.call(case.rpc, case.request)
    by_rest = mesh.rest.call(case.rpc, case.request)
    check(by_grpc, case.code, case.reason, case.field)
    assert json_format.MessageToDict(by_rest.status) == json_format.MessageToDict(by_grpc.status)
    check(by_rest, case.code, case.reason, case.field)


JSON = {"content-type": "application/json"}
PREDICT = "/v1/models/sentiment:predict"


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("body", "reason", "field"),
    [
        (b"{", "MALFORMED_JSON", ""),
        (b'{"text": "a"} x', "MALFORMED_JSON", ""),
        (b"{'text': 'a'}", "MALFORMED_JSON", ""),
        (b'{"text": "a\nb"}', "MALFORMED_JSON", ""),
        (b"[" * 100_000, "MALFORMED_JSON", ""),
        (b'["a"]', "WRONG_TYPE", ""),
        (b'"a"', "WRONG_TYPE", ""),
        (b'{"text": 5}', "WRONG_TYPE", "text"),
        (b'{"text": ["a"]}', "WRONG_TYPE", "text"),
        (b'{"text": {"a": 1}}', "WRONG_TYPE", "text"),
        (b'{"text": true}', "WRONG_TYPE", "text"),
        (b'{"txt": "a"}', "UNKNOWN_FIELD", "txt"),
        (b'{"text": "a", "Text": "a"}', "UNKNOWN_FIELD", "Text"),
        (b'{"text": "a", "text": "b"}', "DUPLICATE_FIELD", "text"),
        (b'{"text": "a", "requestId": "", "request_id": ""}', "DUPLICATE_FIELD", "request_id"),
        (b'{"text": "a", "model": "genre"}', "DUPLICATE_FIELD", "model"),
        (b'{"text": "\xff\xfe"}', "INVALID_UTF8", "text"),
        (b'{"text": "\xed\xa0\x80"}', "INVALID_UTF8", "text"),
        (b'{"text": "\\ud800"}', "INVALID_UTF8", "text"),
        (b"{}", "TEXT_EMPTY", "text"),
        (b"", "TEXT_EMPTY", "text"),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else "",
)
def test_a_bad_body_is_refused_by_rest(mesh: Mesh, body: bytes, reason: str, field: str) -> None:
    answer = refused(mesh.rest.client.post(PREDICT, content=body, headers=JSON))
    if not field and answer.fields:  # the whole body is to blame
        field = answer.fields[0]
        assert field == ""
        assert answer.info.reason == reason
        return
    check(answer, code_pb2.INVALID_ARGUMENT, reason, field)


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("method", "path", "code", "reason"),
    [
        ("GET", "/", code_pb2.NOT_FOUND, "PATH_NOT_FOUND"),
        ("GET", "/v1/nothing", code_pb2.NOT_FOUND, "PATH_NOT_FOUND"),
        ("POST", "/v2/models/sentiment:predict", code_pb2.NOT_FOUND, "PATH_NOT_FOUND"),
        ("POST", "/v1/models/sentiment:forget", code_pb2.NOT_FOUND, "PATH_NOT_FOUND"),
        ("POST", "/v1/models/:predict", code_pb2.NOT_FOUND, "PATH_NOT_FOUND"),
        ("GET", f"/v1/predictions/{UNKNOWN}:cancels", code_pb2.NOT_FOUND, "PATH_NOT_FOUND"),
        ("GET", "/v1/models/sentiment:predict", code_pb2.UNIMPLEMENTED, "METHOD_NOT_ALLOWED"),
        ("DELETE", f"/v1/predictions/{UNKNOWN}", code_pb2.UNIMPLEMENTED, "METHOD_NOT_ALLOWED"),
        ("PUT", "/v1/models", code_pb2.UNIMPLEMENTED, "METHOD_NOT_ALLOWED"),
        ("POST", "/v1/predictions", code_pb2.UNIMPLEMENTED, "METHOD_NOT_ALLOWED"),
        ("GET", f"/v1/predictions/{UNKNOWN}?nosuch=1", code_pb2.INVALID_ARGUMENT, "UNKNOWN_FIELD"),
        ("GET", "/v1/predictions?state=DONE", code_pb2.INVALID_ARGUMENT, "WRONG_TYPE"),
        ("GET", "/v1/predictions?page_size=x", code_pb2.INVALID_ARGUMENT, "WRONG_TYPE"),
        (
            "GET",
            "/v1/predictions?page_size=1&page_size=2",
            code_pb2.INVALID_ARGUMENT,
            "DUPLICATE_FIELD",
        ),
        ("GET", "/v1/predictions?start_time=today", code_pb2.INVALID_ARGUMENT, "WRONG_TYPE"),
        (
            "GET",
            f"/v1/predictions/{UNKNOWN}:wait?timeout=5",
            code_pb2.INVALID_ARGUMENT,
            "WRONG_TYPE",
        ),
        ("GET", "/v1/predictions/%FF", code_pb2.INVALID_ARGUMENT, "INVALID_UTF8"),
    ],
)
def test_a_bad_path_or_query_is_refused_by_rest(
    mesh: Mesh, method: str, path: str, code: int, reason: str
) -> None:
    response = mesh.rest.client.request(method, mesh.url + path)
    answer = refused(response)
    assert (answer.status.code, answer.info.reason) == (code, reason)
    assert not INTERNAL.search(answer.text), answer.text
    if reason == "METHOD_NOT_ALLOWED":
        assert response.status_code == httpx.codes.METHOD_NOT_ALLOWED
        assert response.headers["allow"] == answer.info.metadata["allow"]


@pytest.mark.usefixtures("nothing_stored")
def test_a_body_over_the_limit_is_refused_by_rest(mesh: Mesh) -> None:
    body = json.dumps({"text": "x" * 9_000_000}).encode()
    response = mesh.rest.client.post(PREDICT, content=body, headers=JSON)
    assert response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    status = json_format.Parse(response.text, status_pb2.Status())
    assert Answer(status).info.reason == "MESSAGE_TOO_LARGE"


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("payload", "reason", "field"),
    [
        (b"\x0a\x09sentiment\x12\x02\xff\xfe", "INVALID_UTF8", "text"),
        (b"\x0a\x02\xff\xfe\x12\x01a", "INVALID_UTF8", "model"),
        (b"\x0a\x09sentiment\x12\x7fa", "MALFORMED_MESSAGE", ""),
        (b"\xff\xff\xff\xff", "MALFORMED_MESSAGE", ""),
    ],
)
def test_a_bad_message_is_refused_by_grpc(
    mesh: Mesh, payload: bytes, reason: str, field: str
) -> None:
    check(mesh.grpc.send("Predict", payload), code_pb2.INVALID_ARGUMENT, reason, field)


@pytest.mark.usefixtures("nothing_stored")
def test_a_message_over_the_limit_is_refused_by_grpc(mesh: Mesh) -> None:
    answer = mesh.grpc.call("Predict", predict(text="x" * 9_000_000))
    assert answer.status.code == code_pb2.RESOURCE_EXHAUSTED
    assert not INTERNAL.search(answer.text), answer.text


@pytest.mark.parametrize(
    "path", ["/predict.v1.PredictionService/Forget", "/predict.v2.PredictionService/Predict", "/x"]
)
def test_an_unknown_method_is_unimplemented(mesh: Mesh, path: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        mesh.grpc.channel.unary_unary(path)(b"", timeout=10)
    assert failed(raised.value).status.code == code_pb2.UNIMPLEMENTED


@pytest.mark.usefixtures("nothing_stored")
def test_a_deadline_that_is_too_short_is_exceeded_in_both_doors(mesh: Mesh) -> None:
    with mesh.stopped("runtime-sentiment"):
        by_grpc = mesh.grpc.call("Predict", predict(), timeout_s=0.3)
        assert by_grpc.status.code == code_pb2.DEADLINE_EXCEEDED
        fields = {"text": new_text()}
        response = mesh.rest.client.post(PREDICT, json=fields, headers={"grpc-timeout": "300m"})
        check(refused(response), code_pb2.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


def test_a_deadline_of_a_millisecond_is_exceeded(mesh: Mesh) -> None:
    answer = mesh.grpc.call("BatchPredict", batch(new_texts(256)), timeout_s=0.001)
    assert answer.status.code == code_pb2.DEADLINE_EXCEEDED
    entries = [{"text": text} for text in new_texts(256)]
    path = "/v1/models/sentiment:batchPredict"
    headers = {"grpc-timeout": "1m"}
    response = mesh.rest.client.post(path, json={"entries": entries}, headers=headers)
    check(refused(response), code_pb2.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


def test_a_token_of_another_list_is_refused(door: Door) -> None:
    for _ in range(2):
        door.call("Predict", predict(model="genre"))
    first = door.call("ListPredictions", pb.ListPredictionsRequest(page_size=1, model="genre"))
    assert first.message.next_page_token
    other = pb.ListPredictionsRequest(
        page_size=1, model="sentiment", page_token=first.message.next_page_token
    )
    check(
        door.call("ListPredictions", other),
        code_pb2.INVALID_ARGUMENT,
        "INVALID_PAGE_TOKEN",
        "page_token",
    )


def test_a_finished_prediction_is_not_cancelled(door: Door) -> None:
    prediction = door.call("Predict", predict()).message.prediction
    answer = door.call("CancelPrediction", pb.CancelPredictionRequest(id=prediction.id))
    check(answer, code_pb2.FAILED_PRECONDITION, "PREDICTION_FINISHED")
