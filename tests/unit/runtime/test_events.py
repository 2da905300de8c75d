"""The messages of the queue door."""

import json
from uuid import uuid4

import pytest
from predict.v1.model_runtime_service_pb2 import RuntimeResult
from predict.v1.prediction_pb2 import PredictionOutput

from model_runtime.claims import Claim
from model_runtime.errors import ModelFailed
from model_runtime.events import UndecodableMessage, failed, requested_id, succeeded, to_entry

CLAIM = Claim(prediction_id=str(uuid4()), version="3", attempt=2, text="a secret")


def body(**fields: object) -> str:
    return json.dumps({"predictionId": CLAIM.prediction_id, "model": "sentiment", **fields})


def test_a_request_names_a_prediction() -> None:
    assert requested_id(body(), model="sentiment") == CLAIM.prediction_id


def test_fields_of_a_newer_publisher_are_passed_over() -> None:
    assert requested_id(body(fromTheFuture=1), model="sentiment") == CLAIM.prediction_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 10_000,
        body(predictionId="1"),
        body(predictionId=1),
        body(model="genre"),
    ],
)
def test_anything_else_is_no_request(text: str) -> None:
    with pytest.raises(UndecodableMessage):
        requested_id(text, model="sentiment")


def test_an_answer_carries_the_attempt_and_where_its_features_lie() -> None:
    result = RuntimeResult(output=PredictionOutput(label="neutral"), features_uri="s3://b/k#row=0")
    entry = to_entry(succeeded("sentiment", CLAIM, result))
    message = json.loads(entry["Message"])
    assert message["predictionId"] == CLAIM.prediction_id
    assert message["attempt"] == 2
    assert message["output"] == {"label": "neutral"}
    assert message["featuresUri"] == "s3://b/k#row=0"
    attributes = {name: value["StringValue"] for name, value in entry["MessageAttributes"].items()}
    assert attributes == {"event": "inference_response", "action": "sentiment", "version": "3"}


def test_a_failure_carries_its_reason_and_no_text() -> None:
    entry = to_entry(failed("sentiment", CLAIM, ModelFailed("sentiment")))
    (detail,) = json.loads(entry["Message"])["error"]["details"]
    assert detail["reason"] == "MODEL_FAILED"
    assert "secret" not in entry["Message"]
