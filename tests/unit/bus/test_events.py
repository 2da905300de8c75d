"""The format of messages, both ways."""

import json
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf import json_format
from predict.events.v1.events_pb2 import (
    AlertChange,
    AlertChanged,
    InferenceRequested,
    InferenceResponded,
    JobCompleted,
)
from predict.v1.prediction_pb2 import PREDICTION_STATE_SUCCEEDED

from bus.errors import UndecodableMessage
from bus.events import Envelope, Event, from_message, requested_id, to_entry, to_envelope

REQUESTED = InferenceRequested(
    event_id="0199f2d0-0000-7000-8000-000000000001",
    prediction_id="0199f2d0-0000-7000-8000-000000000002",
    model="sentiment",
    version="3",
)
RESPONDED = InferenceResponded(
    event_id="0199f2d0-0000-7000-8000-000000000003",
    prediction_id=REQUESTED.prediction_id,
    model="sentiment",
    version="3",
    claim_token=str(uuid4()),
)
RESPONDED.output.label = "good"
RESPONDED.output.scores["good"] = 1.0
COMPLETED = JobCompleted(event_id="0199f2d0-0000-7000-8000-000000000004", model="sentiment")
COMPLETED.predictions.add(prediction_id=REQUESTED.prediction_id, state=PREDICTION_STATE_SUCCEEDED)
ALERT = AlertChanged(
    event_id="0199f2d0-0000-7000-8000-000000000005",
    model="sentiment",
    version="3",
    change=AlertChange.ALERT_CHANGE_FIRED,
    above=0.1,
    value=0.2,
)


def sqs_message(event: str, body: str) -> Any:
    """A message as SQS gives it, with raw delivery."""
    attributes = {"event": {"DataType": "String", "StringValue": event}}
    return {"MessageId": "m1", "ReceiptHandle": "r1", "Body": body, "MessageAttributes": attributes}


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("inference_request", REQUESTED),
        ("inference_response", RESPONDED),
        ("job_completed", COMPLETED),
        ("alert_changed", ALERT),
    ],
)
def test_an_event_survives_the_bus(name: str, event: Event) -> None:
    envelope = to_envelope(event)
    assert (envelope.id, envelope.event) == (event.event_id, name)
    entry = to_entry(envelope)
    message: Any = {
        "Body": entry["Message"],
        "MessageAttributes": entry["MessageAttributes"],  # SQS uses the same shape
    }
    assert from_message(message) == event


def test_an_event_of_the_outbox_survives_the_bus() -> None:
    payload = json.dumps(json_format.MessageToDict(REQUESTED), indent=4)
    entry = to_entry(Envelope("1", "inference_request", "sentiment", "3", payload))
    assert from_message(sqs_message("inference_request", entry["Message"])) == REQUESTED


def test_attributes_carry_what_queues_filter_on() -> None:
    entry = to_entry(
        Envelope(id="7", event="inference_request", model="genre", version="12", body="{}")
    )
    assert entry["Id"] == "7"
    assert {name: a["StringValue"] for name, a in entry["MessageAttributes"].items()} == {
        "event": "inference_request",
        "action": "genre",
        "version": "12",
    }


def test_an_event_of_several_versions_has_no_version_attribute() -> None:
    entry = to_entry(Envelope(id="7", event="job_completed", model="genre", version="", body="{}"))
    assert set(entry["MessageAttributes"]) == {"event", "action"}


def test_fields_of_a_newer_version_are_passed_over() -> None:
    body = json.dumps({"predictionId": "x", "fieldOfTomorrow": {"a": [1]}})
    assert from_message(sqs_message("inference_request", body)) == InferenceRequested(
        prediction_id="x"
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "null",
        '{"claimToken": 1}',
        '{"claimToken": {}}',
        '{"output": {"scores": {"a": "high"}}}',
        '{"error": {"details": [{"@type": "type.googleapis.com/of.Nobody"}]}}',
        '{"model": "a\\u0000b"}',
        '{"model": "\\ud800"}',
        '{"output": {}, "error": {}}',
        '{"a":' * 100_000,
    ],
)
def test_a_body_that_is_no_event_is_undecodable(body: str) -> None:
    with pytest.raises(UndecodableMessage) as refused:
        from_message(sqs_message("inference_response", body))
    assert "of.Nobody" not in str(refused.value)  # nothing of the content goes to the log


@pytest.mark.parametrize("event", ["", "inference", "INFERENCE_REQUEST"])
def test_a_message_of_another_event_is_undecodable(event: str) -> None:
    with pytest.raises(UndecodableMessage, match="names no event"):
        from_message(sqs_message(event, "{}"))


def test_a_message_without_attributes_is_undecodable() -> None:
    with pytest.raises(UndecodableMessage, match="names no event"):
        from_message({"MessageId": "m1", "ReceiptHandle": "r1", "Body": "{}"})


def test_a_request_names_a_prediction() -> None:
    body = to_envelope(REQUESTED).body
    message = sqs_message("inference_request", body)
    assert requested_id(message, model="sentiment") == REQUESTED.prediction_id


@pytest.mark.parametrize(
    ("event", "changes", "problem"),
    [
        ("inference_request", {"model": "genre"}, "no request to this model"),
        ("inference_request", {"model": None}, "no request to this model"),
        ("inference_response", {}, "no request to this model"),
        ("inference_request", {"predictionId": "secret"}, "its prediction_id is no UUID"),
        ("inference_request", {"predictionId": None}, "its prediction_id is no UUID"),
        ("inference_request", {"predictionId": 1}, "its body is no inference_request"),
    ],
)
def test_anything_else_is_no_request_to_the_model(
    event: str, changes: dict[str, Any], problem: str
) -> None:
    body = {**json_format.MessageToDict(REQUESTED), **changes}
    with pytest.raises(UndecodableMessage, match=problem):
        requested_id(sqs_message(event, json.dumps(body)), model="sentiment")
