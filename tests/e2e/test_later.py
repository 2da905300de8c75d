"""Predictions made later: accepted at once, then followed to their end."""

import json
from contextlib import ExitStack
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from predict.v1.prediction_pb2 import Prediction, PredictionState
from predict.v1.prediction_service_pb2 import (
    CancelPredictionRequest,
    CreatePredictionRequest,
    GetPredictionRequest,
    PredictRequest,
    WaitPredictionRequest,
    WatchPredictionRequest,
)

from tests.e2e.completions import Completions
from tests.e2e.feature_rows import read_row
from tests.e2e.mesh import MODELS, Mesh
from tests.e2e.oracle import Oracle, agree
from tests.e2e.texts import new_text
from tests.parts.doors import Door
from tests.parts.polling import wait_until

STATES = ["ACCEPTED", "RUNNING", "SUCCEEDED"]


def state(prediction: Prediction) -> str:
    return PredictionState.Name(prediction.state).removeprefix("PREDICTION_STATE_")


def accept(door: Door, model: str = "sentiment", **fields: Any) -> Prediction:
    request = CreatePredictionRequest(model=model, text=new_text(), **fields)
    prediction = door.call("CreatePrediction", request).message.prediction
    assert state(prediction) == "ACCEPTED"
    assert not prediction.HasField("output")
    assert isinstance(prediction, Prediction)
    return prediction


def wait(door: Door, prediction: Prediction, *, at_most_s: int = 30) -> Prediction:
    request = WaitPredictionRequest(id=prediction.id, timeout=Duration(seconds=at_most_s))
    answer = door.call("WaitPrediction", request, timeout_s=at_most_s + 5).message.prediction
    assert isinstance(answer, Prediction)
    return answer


def was_run(mesh: Mesh, prediction: Prediction) -> bool:
    """Whether a worker ever had it, or there is an output."""
    ((attempts, outputs),) = mesh.query(
        "SELECT attempt, (SELECT count(*) FROM predictions p WHERE p.id = r.id)"
        " FROM requests r WHERE id = %s",
        (prediction.id,),
    )
    return bool(attempts or outputs)


@pytest.mark.parametrize("model", MODELS)
def test_a_prediction_made_later_has_the_answer_of_its_model(
    door: Door, oracle: Oracle, model: str
) -> None:
    accepted = accept(door, model)
    finished = wait(door, accepted)
    assert state(finished) == "SUCCEEDED"
    (right,) = oracle.scores(model, [accepted.text])
    assert agree(finished.output.scores, right)
    assert finished.text == accepted.text
    assert finished.create_time == accepted.create_time
    assert finished.HasField("complete_time")
    got = door.call("GetPrediction", GetPredictionRequest(id=accepted.id)).message.prediction
    assert got == finished


def test_a_wait_that_is_over_answers_with_the_prediction_as_it_stands(
    mesh: Mesh, door: Door
) -> None:
    with mesh.stopped("worker-sentiment"):
        accepted = accept(door)
        assert wait(door, accepted, at_most_s=1) == accepted
    assert state(wait(door, accepted)) == "SUCCEEDED"


def test_a_watch_over_grpc_tells_the_states_in_order(mesh: Mesh) -> None:
    with mesh.stopped("worker-sentiment"):
        accepted = accept(mesh.grpc)
        watch = mesh.predictions.WatchPrediction(WatchPredictionRequest(id=accepted.id), timeout=30)
        assert next(watch).prediction == accepted
    check_order(["ACCEPTED", *(state(answer.prediction) for answer in watch)])


def test_a_watch_over_rest_tells_the_states_as_server_sent_events(mesh: Mesh) -> None:
    with ExitStack() as stack:
        with mesh.stopped("worker-genre"):
            path = f"/v1/predictions/{accept(mesh.rest, 'genre').id}:watch"
            response = stack.enter_context(mesh.rest.client.stream("GET", path))
            lines = (line for line in response.iter_lines() if line)
            seen = [event_state(next(lines))]
        seen += [event_state(line) for line in lines]
    assert response.headers["content-type"] == "text/event-stream"
    check_order(seen)


def event_state(line: str) -> str:
    event = json.loads(line.removeprefix("data: "))
    return str(event["prediction"]["state"]).removeprefix("PREDICTION_STATE_")


def check_order(seen: list[str]) -> None:
    """A state that lasted for less than a moment may be left out."""
    assert seen[0] == "ACCEPTED"
    assert seen[-1] == "SUCCEEDED"
    assert seen == [name for name in STATES if name in seen]


def test_what_is_cancelled_before_a_model_has_it_is_never_run(mesh: Mesh, door: Door) -> None:
    with mesh.stopped("worker-sentiment"):
        accepted = accept(door)
        cancel = CancelPredictionRequest(id=accepted.id)
        cancelled = door.call("CancelPrediction", cancel).message.prediction
        assert state(cancelled) == "CANCELLED"
        assert cancelled.HasField("complete_time")
        assert door.call("CancelPrediction", cancel).message.prediction == cancelled
        after = accept(door)
    assert state(wait(door, after)) == "SUCCEEDED"
    assert state(wait(door, accepted)) == "CANCELLED"
    assert not was_run(mesh, accepted)


def test_the_answer_to_what_was_cancelled_meanwhile_is_dropped(mesh: Mesh, door: Door) -> None:
    with mesh.stopped("triton"):
        accepted = accept(door)
        wait_until(lambda: was_run(mesh, accepted))
        cancel = CancelPredictionRequest(id=accepted.id)
        assert state(door.call("CancelPrediction", cancel).message.prediction) == "CANCELLED"
        after = accept(door)
    assert state(wait(door, after)) == "SUCCEEDED"
    assert state(wait(door, accepted)) == "CANCELLED"
    assert mesh.query("SELECT FROM predictions WHERE id = %s", (accepted.id,)) == []


def test_what_expires_before_a_model_has_it_is_never_run(mesh: Mesh, door: Door) -> None:
    with mesh.stopped("worker-sentiment"):
        accepted = accept(door, ttl=Duration(seconds=1))
        expired = wait(door, accepted)
        assert state(expired) == "EXPIRED"
        assert expired.complete_time.ToNanoseconds() >= accepted.expire_time.ToNanoseconds()
        after = accept(door)
    assert state(wait(door, after)) == "SUCCEEDED"
    assert state(wait(door, accepted)) == "EXPIRED"
    assert not was_run(mesh, accepted)


def test_each_end_is_told_to_subscribers_by_one_event(
    mesh: Mesh, door: Door, completions: Completions
) -> None:
    now = door.call("Predict", PredictRequest(model="genre", text=new_text())).message.prediction
    later = wait(door, accept(door))
    with mesh.stopped("worker-sentiment"):
        cancelled, expiring = accept(door), accept(door, ttl=Duration(seconds=1))
        door.call("CancelPrediction", CancelPredictionRequest(id=cancelled.id))
        expired = wait(door, expiring)
    ends = {
        now.id: "SUCCEEDED",
        later.id: "SUCCEEDED",
        cancelled.id: "CANCELLED",
        expired.id: "EXPIRED",
    }
    completions.check(ends)


@pytest.mark.parametrize("model", MODELS)
def test_the_features_lie_where_the_prediction_says(mesh: Mesh, door: Door, model: str) -> None:
    now = door.call("Predict", PredictRequest(model=model, text=new_text())).message.prediction
    later = wait(door, accept(door, model))
    for prediction in (now, later):
        row = read_row(mesh, prediction.features_uri)
        assert row["prediction_id"] == prediction.id
        assert row["version"] == prediction.version
        assert any(row["features"])
