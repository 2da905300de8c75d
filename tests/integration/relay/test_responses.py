"""The models' answers to PostgreSQL."""

import json
import random

import pytest

from model_runtime.claims import Claim
from tests.integration.relay.conftest import StartRelay
from tests.integration.relay.working import work_off
from tests.parts.bus_probe import Bus
from tests.parts.claims import answer, error_answer, place, to_body
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.requests import Requests


@pytest.fixture
def running(start_relay: StartRelay, requests: Requests, bus: Bus) -> Claim:
    """The claim of a request that a worker works on, and a relay that waits for the answer."""
    start_relay()
    (prediction_id,) = requests.accept()
    assert bus.receive("predict-sentiment", wait_s=20)
    return requests.claim_one(prediction_id)


def settle(bus: Bus, requests: Requests) -> None:
    """Waits until the relay has dealt with all answers that were published before."""
    (last,) = requests.accept()
    bus.answer(answer(requests.claim_one(last)))
    wait_until(lambda: requests.get(last)["state"] == "SUCCEEDED")


def wait_for_state(requests: Requests, claim: Claim, state: str) -> None:
    wait_until(lambda: requests.get(claim.prediction_id)["state"] == state)


def test_an_answer_finishes_its_request(running: Claim, requests: Requests, bus: Bus) -> None:
    completed = bus.watch("job_completed")
    bus.answer(answer(running))
    wait_for_state(requests, running, "SUCCEEDED")
    row = requests.get(running.prediction_id)
    assert row["complete_time"] >= row["create_time"]
    assert row["error"] is None
    (prediction,) = requests.query("SELECT * FROM predictions")
    assert prediction == {
        "id": row["id"],
        "label": "positive",
        "confidence": 0.7,
        "scores": {"negative": 0.1, "neutral": 0.2, "positive": 0.7},
        "value": 0.6,
        "features_uri": place(),
    }
    (message,) = bus.receive(completed, wait_s=20)
    event = json.loads(message["Body"])
    assert event["model"] == "sentiment"
    assert event["predictions"] == [
        {
            "predictionId": running.prediction_id,
            "version": "1",
            "state": "PREDICTION_STATE_SUCCEEDED",
        }
    ]
    assert {"eventId", "completeTime"} <= event.keys()


def test_an_error_fails_its_request(running: Claim, requests: Requests, bus: Bus) -> None:
    sent = error_answer(running)
    bus.answer(sent)
    wait_for_state(requests, running, "FAILED")
    assert requests.get(running.prediction_id)["error"] == to_body(sent)["error"]
    assert requests.query("SELECT * FROM predictions") == []


def test_waiting_gateways_are_told(
    running: Claim, requests: Requests, bus: Bus, database: Database
) -> None:
    with database.connect() as connection:
        connection.execute("LISTEN prediction_changed")
        bus.answer(answer(running))
        (notice,) = connection.notifies(timeout=10, stop_after=1)
    assert notice.payload == running.prediction_id
    assert requests.get(running.prediction_id)["state"] == "SUCCEEDED"


def test_any_number_of_deliveries_in_any_order_has_one_effect(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    start_relay()
    completed = bus.watch("job_completed")
    claims = requests.claim(requests.accept(30)).values()
    chance = random.Random(7)  # noqa: S311
    answers = [answer(claim) for claim in claims for _ in range(chance.randint(1, 10))]
    chance.shuffle(answers)
    bus.answer(*answers)
    wait_until(lambda: bus.depth("predict-gateway") == 0)
    assert requests.states() == {"SUCCEEDED": 30}
    bus.answer(*answers[:20])  # and again after all is done
    settle(bus, requests)
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])
    told = [p["predictionId"] for event in bus.drain(completed) for p in event["predictions"]]
    assert len(told) == len(set(told)) == 31
    assert len(requests.query("SELECT * FROM predictions")) == 31


def test_a_late_failure_does_not_undo_a_success(
    running: Claim, requests: Requests, bus: Bus
) -> None:
    bus.answer(answer(running))
    wait_for_state(requests, running, "SUCCEEDED")
    before = requests.get(running.prediction_id)
    bus.answer(error_answer(running))
    settle(bus, requests)
    assert requests.get(running.prediction_id) == before


def test_a_late_success_does_not_undo_a_failure(
    running: Claim, requests: Requests, bus: Bus
) -> None:
    bus.answer(error_answer(running))
    wait_for_state(requests, running, "FAILED")
    before = requests.get(running.prediction_id)
    bus.answer(answer(running))
    settle(bus, requests)
    assert requests.get(running.prediction_id) == before


@pytest.mark.parametrize("state", ["CANCELLED", "EXPIRED"])
def test_an_answer_does_not_undo_another_end(
    running: Claim, requests: Requests, bus: Bus, state: str
) -> None:
    requests.execute("UPDATE requests SET state = %s WHERE id = %s", (state, running.prediction_id))
    bus.answer(answer(running))
    settle(bus, requests)
    row = requests.get(running.prediction_id)
    assert (row["state"], row["label"]) == (state, None)


@pytest.mark.parametrize(
    "body", ["", "no JSON", "[]", '{"predictionId": 7}', '{"claimToken": 7}', "ÿ" * 1000]
)
def test_poison_is_dropped_without_its_text_in_the_log(
    start_relay: StartRelay, requests: Requests, bus: Bus, body: str
) -> None:
    relay = start_relay()
    bus.forge(body or " ")
    bus.forge('{"text": "very secret"')
    settle(bus, requests)
    wait_until(lambda: bus.depth("predict-gateway") == 0)
    assert bus.depth("predict-gateway-dead") == 0
    assert relay.log.count("dropped message") == 2
    assert "secret" not in relay.log


def test_answers_are_committed_together(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    claims = requests.claim(requests.accept(50))
    bus.answer(*map(answer, claims.values()))
    start_relay()
    wait_until(lambda: requests.states()["SUCCEEDED"] == 50)
    commits = requests.query("SELECT DISTINCT complete_time FROM requests")
    assert len(commits) < 10


def test_duplicated_work_ends_in_one_result_each(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    start_relay(max_in_flight=30)
    start_relay(max_in_flight=30)
    chance = random.Random(3)  # noqa: S311
    requests.accept(60)
    work_off(
        bus,
        requests,
        lambda: requests.states()["SUCCEEDED"] == 60,
        copies=lambda: chance.randint(1, 5),
    )
    assert len(requests.query("SELECT * FROM predictions")) == 60
