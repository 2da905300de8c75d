"""What is refused: with the right code, reason and field, the same through both doors.

Nothing is stored of it, and nothing internal is shown.
"""

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, status_pb2
from predict.v1 import model_service_pb2 as models
from predict.v1 import prediction_service_pb2 as pb
from predict.v1.model_pb2 import ReleaseAction

from tests.e2e.mesh import Mesh
from tests.e2e.texts import CANARY, new_text, new_texts
from tests.parts.doors import Answer, Door, refused
from tests.parts.polling import wait_until
from tests.parts.refusals import UNKNOWN, check

TOKEN_OF_ANOTHER_LIST = "AAAAAAAAAAAwMTkwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA="  # noqa: S105


@dataclass(frozen=True)
class Case:
    """A request that both protocols can express."""

    name: str
    rpc: str
    request: Message
    code: int
    reason: str
    fields: tuple[str, ...] = ()


def predict(**fields: Any) -> pb.PredictRequest:
    return pb.PredictRequest(**{"model": "sentiment", "text": new_text(), **fields})


def create(**fields: Any) -> pb.CreatePredictionRequest:
    return pb.CreatePredictionRequest(**{"model": "sentiment", "text": new_text(), **fields})


def invalid(name: str, rpc: str, request: Message, reason: str, field: str) -> Case:
    return Case(name, rpc, request, code_pb2.INVALID_ARGUMENT, reason, (field,))


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
        yield invalid("no id of a model", rpc, ask(model="No such 'model'"), "INVALID_ID", "model")
        yield not_found("an unknown version", rpc, ask(version="999"), "VERSION_NOT_FOUND")
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
        ("DeletePrediction", pb.DeletePredictionRequest),
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
        for size in (-1, -(2**31)):
            request = ask_list(page_size=size)
            yield invalid(f"page_size {size}", rpc, request, "OUT_OF_RANGE", "page_size")
        for token in ("?", "abcd", TOKEN_OF_ANOTHER_LIST, "A" * 5000):
            request = ask_list(page_token=token)
            yield invalid(f"token {token[:9]}", rpc, request, "INVALID_PAGE_TOKEN", "page_token")
    yield from release_cases()
    for rpc, ask_model in (
        ("GetModel", models.GetModelRequest),
        ("ListReleases", models.ListReleasesRequest),
        ("CreateRelease", models.CreateReleaseRequest),
    ):
        yield not_found("an unknown model", rpc, ask_model(model="nosuch"), "MODEL_NOT_FOUND")


def release_cases() -> Iterator[Case]:
    def ask(**fields: Any) -> models.CreateReleaseRequest:
        return models.CreateReleaseRequest(**{"model": "sentiment", "version": "1", **fields})

    rpc = "CreateRelease"
    yield invalid("no version", rpc, ask(version=""), "REQUIRED_FIELD_MISSING", "version")
    for steps, field in (
        ([0], "steps[0]"),
        ([0.001], "steps[0]"),
        ([50, 100.5], "steps[1]"),
        ([50, 10], "steps[1]"),
        ([10, 10], "steps[1]"),
    ):
        yield invalid(f"steps {steps}", rpc, ask(steps=steps), "OUT_OF_RANGE", field)
    promote = ask(action=ReleaseAction.RELEASE_ACTION_PROMOTE)
    yield invalid("a version to promote", rpc, promote, "UNKNOWN_FIELD", "version")
    by_hand = ask(action=ReleaseAction.RELEASE_ACTION_SET_TRAFFIC)
    yield invalid("another action", rpc, by_hand, "WRONG_TYPE", "action")
    stale = ask(etag="stale")
    yield Case("a stale etag", rpc, stale, code_pb2.ABORTED, "ETAG_MISMATCH")
    for rpc, ask_by_id in (
        ("GetRelease", models.GetReleaseRequest),
        ("PauseRelease", models.PauseReleaseRequest),
        ("ResumeRelease", models.ResumeReleaseRequest),
        ("CancelRelease", models.CancelReleaseRequest),
    ):
        yield invalid("a bad id", rpc, ask_by_id(id="7"), "INVALID_ID", "id")
        yield not_found("an unknown id", rpc, ask_by_id(id=UNKNOWN), "RELEASE_NOT_FOUND")


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("case", list(cases()), ids=lambda case: f"{case.rpc}: {case.name}")
def test_a_bad_request_is_refused_alike_by_grpc_and_rest(mesh: Mesh, case: Case) -> None:
    by_grpc = mesh.grpc.call(case.rpc, case.request)
    by_rest = mesh.rest.call(case.rpc, case.request)
    check(by_grpc, case.code, case.reason, *case.fields)
    assert json_format.MessageToDict(by_rest.status) == json_format.MessageToDict(by_grpc.status)
    check(by_rest, case.code, case.reason, *case.fields)


def test_a_deadline_is_exceeded_alike_in_grpc_and_rest(mesh: Mesh) -> None:
    asked = predict()
    texts = [asked.text, new_text()]
    with mesh.stopped("triton"):
        by_grpc = grpc_answer_after(mesh, asked, "300m")
        body, headers = {"text": texts[1]}, {"grpc-timeout": "300m"}
        by_rest = mesh.rest.client.post("/v1/models/sentiment:predict", json=body, headers=headers)
    check(by_grpc, code_pb2.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    assert refused(by_rest).status == by_grpc.status
    stored = "SELECT state::text, reason FROM requests WHERE text = ANY (%s)"
    # Whoever runs out of time is answered at once, and recorded with the next group commit.
    wait_until(lambda: mesh.query(stored, (texts,)) == [("FAILED", "DEADLINE_EXCEEDED")] * 2)


def grpc_answer_after(mesh: Mesh, request: pb.PredictRequest, timeout: str) -> Answer:
    """The server's own word: a client of grpcio would not wait for it."""
    payload = request.SerializeToString()
    with httpx.Client(base_url=mesh.url, http1=False, http2=True, trust_env=False) as client:
        response = client.post(
            "/predict.v1.PredictionService/Predict",
            content=struct.pack(">BI", 0, len(payload)) + payload,
            headers={"content-type": "application/grpc", "te": "trailers", "grpc-timeout": timeout},
        )
    details = response.headers["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(base64.b64decode(details + "=="))
    assert response.headers["grpc-status"] == str(status.code)
    return Answer(status, text=str(status))


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
