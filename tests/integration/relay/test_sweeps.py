"""What time does to requests."""

import json

from tests.integration.relay.conftest import StartRelay
from tests.parts.bus_probe import Bus
from tests.parts.claims import answer
from tests.parts.polling import wait_until
from tests.parts.requests import Requests

SOON = {"sweep_s": 0.1, "rearm_after_s": 0.5, "poll_s": 0.1}


def completions(bus: Bus, queue: str) -> dict[str, str]:
    """State by prediction, of the events in a queue."""
    return {
        prediction["predictionId"]: prediction["state"].removeprefix("PREDICTION_STATE_")
        for event in bus.drain(queue)
        for prediction in event["predictions"]
    }


def test_requests_expire_when_their_time_is_over_whether_they_wait_or_run(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    completed = bus.watch("job_completed")
    waiting, running = requests.accept(2, ttl_s=1)
    (other,) = requests.accept(1, ttl_s=3600)
    requests.claim_one(running)
    start_relay(**SOON)
    wait_until(lambda: requests.states()["EXPIRED"] == 2)
    assert requests.get(other)["state"] == "ACCEPTED"
    for prediction_id in (waiting, running):
        row = requests.get(prediction_id)
        assert row["complete_time"] >= row["expire_time"]
        assert row["lease_until"] is None
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])
    assert completions(bus, completed) == {waiting: "EXPIRED", running: "EXPIRED"}


def test_an_expired_request_is_never_run(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    start_relay(**SOON)
    (prediction_id,) = requests.accept(ttl_s=3600)
    assert bus.receive("predict-sentiment", wait_s=20)
    assert requests.query("UPDATE requests SET expire_time = now() RETURNING id")
    wait_until(lambda: requests.get(prediction_id)["state"] == "EXPIRED")
    assert requests.claim([prediction_id]) == {}


def test_more_requests_expire_than_one_transaction_takes(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    ids = requests.accept(1200, ttl_s=0)
    completed = bus.watch("job_completed")
    start_relay(**SOON)
    wait_until(lambda: requests.states()["EXPIRED"] == 1200)
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])
    assert completions(bus, completed).keys() == set(ids)


def test_a_request_that_the_bus_lost_is_published_again(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    start_relay(**SOON)
    (prediction_id,) = requests.accept()
    assert bus.receive("predict-sentiment", wait_s=20)  # and never claimed
    (again,) = bus.receive("predict-sentiment", wait_s=20)
    assert json.loads(again["Body"])["predictionId"] == prediction_id


def test_a_request_whose_runtime_died_is_published_again(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    start_relay(**SOON)
    (prediction_id,) = requests.accept()
    assert bus.receive("predict-sentiment", wait_s=20)
    requests.claim_one(prediction_id, lease_s=1)
    assert bus.receive("predict-sentiment", wait_s=20)
    requests.claim_one(prediction_id)
    assert requests.get(prediction_id)["attempt"] == 2


def test_a_request_that_somebody_works_on_is_left_alone(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    start_relay(**SOON)
    (worked_on, lost) = requests.accept(2)
    wait_until(lambda: len(list(bus.drain("predict-sentiment"))) > 0)
    requests.claim_one(worked_on)
    before = requests.get(worked_on)
    first = requests.get(lost)["publish_time"]
    wait_until(lambda: (requests.get(lost)["publish_time"] or first) > first)
    assert requests.get(worked_on) == before


def test_a_request_is_not_published_again_while_its_message_waits(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    start_relay(**SOON)
    requests.accept(5, model="sentiment")
    (lost,) = requests.accept(1, model="genre")
    assert bus.receive("predict-genre", wait_s=20)
    for _ in range(3):  # as long as it takes to publish another model's request thrice
        (again,) = bus.receive("predict-genre", wait_s=20)
        assert json.loads(again["Body"])["predictionId"] == lost
    assert bus.depth("predict-sentiment") == 5


def test_a_request_is_not_published_again_while_answers_wait(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    ids = requests.accept(100)
    requests.execute("DELETE FROM outbox")
    requests.execute("UPDATE requests SET publish_time = now() - interval '1 min'")
    claims = requests.claim(ids, lease_s=0)
    bus.answer(*map(answer, claims.values()))
    start_relay(**SOON)
    wait_until(lambda: requests.states()["SUCCEEDED"] == 100)
    assert bus.depth("predict-sentiment") == 0


def test_a_request_goes_out_again_in_the_end_though_others_wait(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    start_relay(**SOON, lost_after_s=1)
    lost = requests.accept(1)
    assert bus.receive("predict-sentiment", wait_s=20)
    others = requests.accept(3)
    wait_until(lambda: bus.depth("predict-sentiment") == 3)
    requests.claim(others)
    wait_until(lambda: bus.depth("predict-sentiment") == 4)
    published = [event["predictionId"] for event in bus.drain("predict-sentiment")]
    assert sorted(published) == sorted([*lost, *others])


def test_a_request_without_attempts_left_fails(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    completed = bus.watch("job_completed")
    start_relay(**SOON)
    (prediction_id,) = requests.accept()
    for attempt in range(1, 6):
        assert bus.receive("predict-sentiment", wait_s=20)
        requests.claim_one(prediction_id, lease_s=0)
        assert requests.get(prediction_id)["attempt"] == attempt
    wait_until(lambda: requests.get(prediction_id)["state"] == "FAILED")
    error = requests.get(prediction_id)["error"]
    assert error["code"] == 13
    assert error["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "ATTEMPTS_EXHAUSTED",
            "domain": "predict.v1",
            "metadata": {"attempts": "5"},
        }
    ]
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])
    assert completions(bus, completed) == {prediction_id: "FAILED"}


def test_the_last_attempt_may_still_be_answered(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    start_relay(**SOON)
    (last, exhausted) = requests.accept(2)
    wait_until(lambda: bus.depth("predict-sentiment") == 2)
    list(bus.drain("predict-sentiment"))
    requests.execute("UPDATE requests SET attempt = 4")
    requests.claim_one(exhausted, lease_s=0)
    claim = requests.claim_one(last)
    wait_until(lambda: requests.get(exhausted)["state"] == "FAILED")
    assert requests.get(last)["state"] == "RUNNING"
    bus.answer(answer(claim))
    wait_until(lambda: requests.get(last)["state"] == "SUCCEEDED")


def test_the_days_to_come_have_partitions_and_old_request_ids_go(
    start_relay: StartRelay, requests: Requests
) -> None:
    before = partitions(requests)
    drop_last_day(requests)
    for age, prediction_id in zip((1, 6, 8, 30), requests.accept(4), strict=True):
        requests.execute(
            "UPDATE request_ids SET create_time = now() - %s * interval '1 day' WHERE id = %s",
            (age, prediction_id),
        )
    start_relay()
    wait_until(lambda: len(requests.query("SELECT * FROM request_ids")) == 2)
    wait_until(lambda: partitions(requests) == before)


def test_days_that_cannot_be_made_keep_nobody_waiting(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    before = partitions(requests)
    drop_last_day(requests)
    with requests.hold(requests.accept()):  # as a worker whose transaction does not end
        relay = start_relay()
        wait_until(lambda: "create_partitions: canceling statement due to lock" in relay.log)
        requests.accept(1, model="genre")
        assert bus.receive("predict-genre", wait_s=20)
        assert partitions(requests) == before - 1
    start_relay()
    wait_until(lambda: partitions(requests) == before)
    assert relay.exit_code is None


def drop_last_day(requests: Requests) -> None:
    requests.execute(
        "DO $$ BEGIN EXECUTE 'DROP TABLE requests_' || to_char(now() AT TIME ZONE 'UTC'"
        " + interval '7 days', 'YYYYMMDD'); END $$"
    )


def partitions(requests: Requests) -> int:
    return len(requests.query("SELECT FROM pg_inherits WHERE inhparent = 'requests'::regclass"))
