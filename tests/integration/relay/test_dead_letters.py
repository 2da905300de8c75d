"""What becomes of messages that were received too often."""

import json
from typing import Any

import pytest

from tests.integration.relay.conftest import StartRelay
from tests.parts.bus_probe import Bus
from tests.parts.claims import answer
from tests.parts.polling import wait_until
from tests.parts.requests import Requests

QUICK = {"sweep_s": 0.1, "dead_letters_s": 0.1, "poll_s": 0.1}  # sweeps would re-arm after 30 s


@pytest.fixture
def dying(requests: Requests, bus: Bus) -> str:
    """A request whose message is in the dead-letter queue, and no relay yet to see it."""
    (prediction_id,) = requests.accept()
    requests.execute("UPDATE requests SET publish_time = now()")
    (event,) = requests.query("DELETE FROM outbox RETURNING payload")
    bus.publish("inference_request", event["payload"])
    bus.let_die("predict-sentiment")
    assert bus.depth("predict-sentiment-dead") == 1
    return prediction_id


def test_a_request_with_attempts_left_is_published_again(
    dying: str, start_relay: StartRelay, bus: Bus
) -> None:
    start_relay(**QUICK)
    (again,) = bus.receive("predict-sentiment", wait_s=20)
    assert json.loads(again["Body"])["predictionId"] == dying
    wait_until(lambda: bus.depth("predict-sentiment-dead") == 0)


def test_a_request_without_attempts_left_fails(
    dying: str, start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    requests.execute("UPDATE requests SET state = 'RUNNING', attempt = 4")
    requests.claim_one(dying, lease_s=0)
    start_relay(**QUICK, rearm_after_s=0.5)
    wait_until(lambda: requests.get(dying)["state"] == "FAILED")
    (detail,) = requests.get(dying)["error"]["details"]
    assert detail["reason"] == "ATTEMPTS_EXHAUSTED"
    wait_until(lambda: bus.depth("predict-sentiment-dead") == 0)


@pytest.mark.parametrize("worked_on", [True, False])
def test_a_request_that_is_worked_on_or_finished_is_left_alone(
    dying: str, start_relay: StartRelay, requests: Requests, bus: Bus, worked_on: bool
) -> None:
    if worked_on:
        requests.claim_one(dying)
    else:
        requests.execute("UPDATE requests SET state = 'CANCELLED'")
    before = requests.get(dying)
    start_relay(**QUICK)
    wait_until(lambda: bus.depth("predict-sentiment-dead") == 0)
    assert requests.get(dying) == before
    assert bus.depth("predict-sentiment") == 0


def test_a_dead_answer_is_applied_after_all(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    (prediction_id,) = requests.accept()
    bus.answer(answer(requests.claim_one(prediction_id)))
    bus.let_die("predict-gateway")
    assert bus.depth("predict-gateway-dead") == 1
    start_relay(**QUICK)
    # Half a minute where a sweep holds the request just then: its answer is hidden that long.
    wait_until(lambda: requests.get(prediction_id)["state"] == "SUCCEEDED")
    wait_until(lambda: bus.depth("predict-gateway-dead") == 0)


@pytest.mark.parametrize(
    "body",
    [
        "very secret",
        {"predictionId": "no id", "model": "sentiment"},
        {"predictionId": "0199f2d0-0000-7000-8000-000000000002", "model": "genre"},
        {"predictionId": "0199f2d0-0000-7000-8000-000000000002", "model": "sentiment"},
    ],
)
def test_poison_is_dropped_and_holds_up_no_neighbour(
    start_relay: StartRelay, requests: Requests, bus: Bus, body: dict[str, Any] | str
) -> None:
    bus.publish("inference_request", body)
    bus.let_die("predict-sentiment")
    relay = start_relay(**QUICK)
    (prediction_id,) = requests.accept()
    (message,) = bus.receive("predict-sentiment", wait_s=20)
    assert json.loads(message["Body"])["predictionId"] == prediction_id
    wait_until(lambda: bus.depth("predict-sentiment-dead") == 0)
    assert "secret" not in relay.log


def test_an_undecodable_one_is_logged_by_its_message_id(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    bus.publish("inference_request", "very secret")
    (message,) = bus.receive("predict-sentiment", delete=False)
    bus.sqs.change_message_visibility(
        QueueUrl=bus.url("predict-sentiment"),
        ReceiptHandle=message["ReceiptHandle"],
        VisibilityTimeout=0,
    )
    bus.let_die("predict-sentiment")
    relay = start_relay(**QUICK)
    wait_until(lambda: f"dropped dead letter {message['MessageId']}" in relay.log)
