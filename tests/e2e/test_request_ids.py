"""A request_id stands for one prediction, however often and from wherever it is sent."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf import json_format
from google.rpc import code_pb2
from predict.v1.prediction_pb2 import PREDICTION_STATE_SUCCEEDED
from predict.v1.prediction_service_pb2 import (
    CreatePredictionRequest,
    PredictRequest,
    WaitPredictionRequest,
)

from tests.e2e.mesh import Mesh
from tests.e2e.texts import new_text, new_texts
from tests.parts.doors import Door

CALLS = 64
KINDS: dict[str, Callable[..., PredictRequest | CreatePredictionRequest]] = {
    "Predict": PredictRequest,
    "CreatePrediction": CreatePredictionRequest,
}


@pytest.mark.parametrize("rpc", KINDS)
def test_calls_at_once_with_one_request_id_make_one_prediction(mesh: Mesh, rpc: str) -> None:
    request_id, texts = str(uuid4()), new_texts(2)
    requests = [
        KINDS[rpc](model="genre", text=texts[n // 2 % 2], request_id=request_id)
        for n in range(CALLS)
    ]
    doors: list[Door] = [mesh.grpc, mesh.rest]
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda n: doors[n % 2].call(rpc, requests[n]), range(CALLS)))
    ((prediction_id, text),) = mesh.query(
        "SELECT id::text, text FROM requests WHERE text = ANY (%s)", (texts,)
    )
    for request, answer in zip(requests, answers, strict=True):
        if request.text == text:
            assert answer.message.prediction.id == prediction_id
        else:
            assert answer.status.code == code_pb2.ALREADY_EXISTS


@pytest.mark.parametrize("rpc", KINDS)
@pytest.mark.parametrize("changed", [{"text": "another"}, {"model": "genre"}], ids=str)
def test_a_request_id_with_another_body_is_refused(
    mesh: Mesh, rpc: str, changed: dict[str, str]
) -> None:
    fields: dict[str, Any] = {"model": "sentiment", "text": new_text(), "request_id": str(uuid4())}
    first = mesh.grpc.call(rpc, KINDS[rpc](**fields)).message.prediction
    other = KINDS[rpc](**fields | changed)
    by_grpc, by_rest = mesh.grpc.call(rpc, other), mesh.rest.call(rpc, other)
    assert by_grpc.status.code == code_pb2.ALREADY_EXISTS
    assert by_grpc.info.reason == "REQUEST_ID_REUSED"
    assert by_grpc.info.metadata["request_id"] == fields["request_id"]
    assert json_format.MessageToDict(by_rest.status) == json_format.MessageToDict(by_grpc.status)
    rows = mesh.query(
        "SELECT id::text FROM request_ids WHERE request_id = %s", (fields["request_id"],)
    )
    assert rows == [(first.id,)]


def test_asked_now_what_was_accepted_for_later_gives_the_one_prediction(door: Door) -> None:
    fields: dict[str, Any] = {
        "model": "sentiment",
        "text": new_text(),
        "request_id": str(uuid4()).upper(),
    }
    later = door.call("CreatePrediction", CreatePredictionRequest(**fields)).message.prediction
    now = door.call("Predict", PredictRequest(**fields)).message.prediction
    assert now.id == later.id
    assert now.state == PREDICTION_STATE_SUCCEEDED
    again = door.call("CreatePrediction", CreatePredictionRequest(**fields)).message.prediction
    assert again == now


def test_asked_now_what_failed_later_gives_the_error_again(mesh: Mesh, door: Door) -> None:
    fields: dict[str, Any] = {"model": "sentiment", "text": new_text(), "request_id": str(uuid4())}
    create = CreatePredictionRequest(**fields)
    with mesh.stopped("worker-sentiment"):
        later = door.call("CreatePrediction", create).message.prediction
        # As if its version had gone, which a release does not let happen.
        lose = "UPDATE requests SET version = '999' WHERE id = %s RETURNING id"
        assert mesh.query(lose, (later.id,))
    failed = door.call("WaitPrediction", WaitPredictionRequest(id=later.id)).message.prediction
    again = door.call("Predict", PredictRequest(**fields))
    assert again.info.reason == "VERSION_NOT_FOUND"
    assert json_format.MessageToDict(again.status) == json_format.MessageToDict(failed.error)
