"""What the worker says of its claims."""

import json

from bus.events import from_message, to_entry, to_envelope
from contract.errors import ModelFailed, Undeliverable
from inference.output import Output
from model_runtime.responding import failed, instead_of, succeeded
from tests.parts.claims import invented_claim

OUTPUT = Output("neutral", 1.0, {"neutral": 1.0})
CLAIM = invented_claim()._replace(text="a secret", version="3")


def test_an_answer_carries_the_claims_token_and_where_its_features_lie() -> None:
    event = succeeded("sentiment", CLAIM, OUTPUT, "s3://b/k#row=0")
    entry = to_entry(to_envelope(event))
    message = json.loads(entry["Message"])
    assert entry["Id"] == message.pop("eventId")
    assert message == {
        "predictionId": CLAIM.prediction_id,
        "model": "sentiment",
        "version": "3",
        "claimToken": CLAIM.token,
        "output": {"label": "neutral", "confidence": 1, "scores": {"neutral": 1}},
        "featuresUri": "s3://b/k#row=0",
    }
    attributes = {name: value["StringValue"] for name, value in entry["MessageAttributes"].items()}
    assert attributes == {"event": "inference_response", "action": "sentiment", "version": "3"}


def test_a_failure_carries_its_reason_and_no_text() -> None:
    entry = to_entry(to_envelope(failed("sentiment", CLAIM, ModelFailed("sentiment"))))
    (detail,) = json.loads(entry["Message"])["error"]["details"]
    assert detail["reason"] == "MODEL_FAILED"
    assert "secret" not in entry["Message"]


def test_an_error_may_stand_in_for_an_answer() -> None:
    event = succeeded("sentiment", CLAIM, OUTPUT, "s3://b/k#row=0")
    other = instead_of(event, Undeliverable())
    assert other.event_id != event.event_id
    expected = failed("sentiment", CLAIM, Undeliverable())
    expected.event_id = other.event_id
    assert other == expected
    assert event.HasField("output")


def test_two_events_of_a_claim_are_told_apart() -> None:
    first, second = (failed("sentiment", CLAIM, ModelFailed("sentiment")) for _ in range(2))
    assert first.event_id != second.event_id


def test_the_relay_reads_what_the_worker_writes() -> None:
    event = failed("sentiment", CLAIM, ModelFailed("sentiment"))
    entry = to_entry(to_envelope(event))
    attributes = entry["MessageAttributes"]
    message = {"Body": entry["Message"], "MessageAttributes": attributes}
    assert from_message(message) == event  # type: ignore[arg-type]  # SQS uses the same shape
