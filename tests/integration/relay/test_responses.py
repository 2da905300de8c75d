"""The models' answers to PostgreSQL."""

import json
import random
from typing import Any

import pytest

from gateway.ids import uuid7
from tests.integration.bus_probe import Bus
from tests.integration.polling import wait_until
from tests.integration.postgres import Database
from tests.integration.relay.conftest import StartRelay
from tests.integration.relay.requests import Requests, answer, error_answer
from tests.integration.relay.runtime import work_off


@pytest.fixture
def running(start_relay: StartRelay, requests: Requests, bus: Bus) -> str:
    """A request that a runtime works on, and a relay that waits for the answer."""
    start_relay()
    (prediction_id,) = requests.accept()
    assert bus.receive("predict-sentiment", wait_s=10)
    requests.claim([prediction_id])
    return prediction_id


def settle(bus: Bus, requests: Requests) -> None:
    """Waits until the relay has dealt with all answers that were published before."""
    (last,) = requests.accept()
    requests.claim([last])
    bus.answer(answer(last))
    wait_until(lambda: requests.get(last)["state"] == "SUCCEEDED")


def test_an_answer_finishes_its_request(running: str, requests: Requests, bus: Bus) -> None:
    completed = bus.watch("job_completed")
    bus.answer(answer(running))
    wait_until(lambda: requests.get(running)["state"] == "SUCCEEDED")
    row = requests.get(running)
    assert row["complete_time"] >= row["create_time"]
    assert row["error"] is None
    (prediction,) = requests.query("SELECT * FROM predictions")
    assert prediction == {
        "id": row["id"],
        "label": "positive",
        "confidence": 0.7,
        "scores": {"negative": 0.1, "neutral": 0.2, "positive": 0.7},
        "value": 0.6,
        "features_uri": "s3://predict-features/sentiment/1/batch.parquet#row=3",
    }
    (message,) = bus.receive(completed, wait_s=10)
    event = json.loads(message["Body"])
    assert event["model"] == "sentiment"
    assert event["predictions"] == [
        {"predictionId": running, "version": "1", "state": "PREDICTION_STATE_SUCCEEDED"}
    ]
    assert {"eventId", "completeTime"} <= event.keys()


def test_an_error_fails_its_request(running: str, requests: Requests, bus: Bus) -> None:
    sent = error_answer(running)
    bus.answer(sent)
    wait_until(lambda: requests.get(running)["state"] == "FAILED")
    assert requests.get(running)["error"] == sent["error"]
    assert requests.query("SELECT * FROM predictions") == []


def test_waiting_gateways_are_told(
    running: str, requests: Requests, bus: Bus, database: Database
) -> None:
    with database.connect() as connection:
        connection.execute("LISTEN prediction_changed")
        bus.answer(answer(running))
        (notice,) = connection.notifies(timeout=10, stop_after=1)
    assert notice.payload == running
    assert requests.get(running)["state"] == "SUCCEEDED"


def test_any_number_of_deliveries_in_any_order_has_one_effect(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    start_relay()
    completed = bus.watch("job_completed")
    ids = requests.accept(30)
    attempts = requests.claim(ids)
    chance = random.Random(7)  # noqa: S311
    answers = [answer(id, attempts[id]) for id in ids for _ in range(chance.randint(1, 10))]
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


def test_a_late_failure_does_not_undo_a_success(running: str, requests: Requests, bus: Bus) -> None:
    bus.answer(answer(running))
    wait_until(lambda: requests.get(running)["state"] == "SUCCEEDED")
    before = requests.get(running)
    bus.answer(error_answer(running))
    settle(bus, requests)
    assert requests.get(running) == before


def test_a_late_success_does_not_undo_a_failure(running: str, requests: Requests, bus: Bus) -> None:
    bus.answer(error_answer(running))
    wait_until(lambda: requests.get(running)["state"] == "FAILED")
    before = requests.get(running)
    bus.answer(answer(running))
    settle(bus, requests)
    assert requests.get(running) == before


@pytest.mark.parametrize("state", ["CANCELLED", "EXPIRED"])
def test_an_answer_does_not_undo_another_end(
    running: str, requests: Requests, bus: Bus, state: str
) -> None:
    requests.execute("UPDATE requests SET state = %s WHERE id = %s", (state, running))
    bus.answer(answer(running))
    settle(bus, requests)
    assert requests.get(running)["state"] == state
    assert requests.get(running)["label"] is None


def test_an_answer_of_an_earlier_attempt_is_dropped(
    running: str, requests: Requests, bus: Bus
) -> None:
    requests.execute("UPDATE requests SET lease_until = now() WHERE id = %s", (running,))
    assert requests.claim([running]) == {running: 2}
    bus.answer(error_answer(running, attempt=1))
    settle(bus, requests)
    assert requests.get(running)["state"] == "RUNNING"
    bus.answer(answer(running, attempt=2))
    wait_until(lambda: requests.get(running)["state"] == "SUCCEEDED")


FORGERIES: dict[str, dict[str, Any]] = {
    "another model": {"model": "genre"},
    "another version": {"version": "2"},
    "an attempt to come": {"attempt": 2},
    "no attempt": {"attempt": 0},
    "another prediction": {"predictionId": uuid7()},
    "features elsewhere": {"featuresUri": "s3://elsewhere/x.parquet#row=0"},
    "scores that are no numbers": {
        "output": {"label": "positive", "confidence": 1, "scores": {"positive": "NaN"}}
    },
    "labels of another model": {
        "output": {"label": "news", "confidence": 1, "scores": {"news": 1}}
    },
    "no result": {"output": None},
    "a NUL": {"version": "1\0"},
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_answer_is_dropped_and_said_so(
    start_relay: StartRelay, requests: Requests, bus: Bus, forgery: str
) -> None:
    relay = start_relay()
    (prediction_id,) = requests.accept()
    requests.claim([prediction_id])
    bus.answer(answer(prediction_id, **FORGERIES[forgery]))
    settle(bus, requests)
    assert requests.get(prediction_id)["state"] == "RUNNING"
    assert requests.get(prediction_id)["label"] is None
    assert "dropped" in relay.log
    bus.answer(answer(prediction_id))
    wait_until(lambda: requests.get(prediction_id)["state"] == "SUCCEEDED")


def test_the_genuine_answer_counts_beside_a_forged_one(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    (prediction_id,) = requests.accept()
    requests.claim([prediction_id])
    bus.answer(answer(prediction_id, model="genre"), answer(prediction_id))
    start_relay()  # finds both at once
    wait_until(lambda: requests.get(prediction_id)["state"] == "SUCCEEDED")


@pytest.mark.parametrize("body", ["", "no JSON", "[]", '{"predictionId": 7}', "ÿ" * 1000])
def test_poison_is_dropped_without_its_text_in_the_log(
    start_relay: StartRelay, requests: Requests, bus: Bus, body: str
) -> None:
    relay = start_relay()
    bus.publish("inference_response", body or " ")
    bus.publish("inference_response", '{"text": "very secret"')
    settle(bus, requests)
    wait_until(lambda: bus.depth("predict-gateway") == 0)
    assert bus.depth("predict-gateway-dead") == 0
    assert relay.log.count("dropped message") == 2
    assert "secret" not in relay.log


def test_answers_are_committed_together(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    ids = requests.accept(50)
    attempts = requests.claim(ids)
    bus.answer(*(answer(id, attempts[id]) for id in ids))
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
