"""Crashes and outages cost time and nothing else. Each test proves that its fault happened."""

import json
import signal

import pytest

from tests.integration.relay.conftest import StartRelay
from tests.integration.relay.patches import (
    DIE_AFTER_COMMITTING_ANSWERS,
    DIE_AFTER_PUBLISHING,
    DIE_BEFORE_COMMITTING_ANSWERS,
    DIE_BEFORE_PUBLISHING,
    SLOW_PUBLISHING,
)
from tests.integration.relay.process import Relay
from tests.integration.relay.working import work_off
from tests.parts.aws import Aws
from tests.parts.bus_probe import MODELS, Bus
from tests.parts.claims import answer
from tests.parts.polling import wait_until
from tests.parts.postgres import Database, Postgres
from tests.parts.requests import Requests

SOON = {
    "sweep_s": 0.1,
    "dead_letters_s": 0.1,
    "rearm_after_s": 1,
    "poll_s": 0.1,
    "receive_wait_s": 1,
}


def wait_for_death(relay: Relay) -> None:
    wait_until(lambda: relay.exit_code is not None)
    assert relay.exit_code == -signal.SIGKILL


@pytest.mark.parametrize(
    ("patch", "published"), [(DIE_BEFORE_PUBLISHING, 0), (DIE_AFTER_PUBLISHING, 8)]
)
def test_a_relay_killed_around_publishing_loses_nothing(
    start_relay: StartRelay, requests: Requests, bus: Bus, patch: str, published: int
) -> None:
    # A killed relay takes what its last call was to receive with it, until that is over.
    bus.set_visibility_timeout("predict-gateway", 1)
    requests.accept(8)
    wait_for_death(start_relay(patch=patch))
    assert bus.depth("predict-sentiment") == published
    assert len(requests.query("SELECT * FROM outbox")) == 8  # the transaction was open
    assert requests.query("SELECT * FROM requests WHERE publish_time IS NOT NULL") == []
    start_relay()
    work = work_off(bus, requests, lambda: requests.states()["SUCCEEDED"] == 8)
    assert set(work.values()) == {1}
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])


@pytest.mark.parametrize(
    ("patch", "finished"), [(DIE_BEFORE_COMMITTING_ANSWERS, 0), (DIE_AFTER_COMMITTING_ANSWERS, 8)]
)
def test_a_relay_killed_around_committing_answers_finishes_each_once(
    start_relay: StartRelay, requests: Requests, bus: Bus, patch: str, finished: int
) -> None:
    completed = bus.watch("job_completed")
    ids = requests.accept(8)
    # Or else the one that dies may hold rows to publish them, and so pass over their answers.
    publishing = start_relay()
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])
    assert publishing.stop() == 0
    claims = requests.claim(ids)
    bus.answer(*map(answer, claims.values()))
    bus.set_visibility_timeout("predict-gateway", 1)
    wait_for_death(start_relay(patch=patch))
    assert requests.states()["SUCCEEDED"] == finished
    assert bus.depth("predict-gateway") == 8  # not deleted, so they come again
    start_relay()
    wait_until(lambda: bus.depth("predict-gateway") == 0)
    assert requests.states() == {"SUCCEEDED": 8}
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])
    told = [p["predictionId"] for event in bus.drain(completed) for p in event["predictions"]]
    assert sorted(told) == sorted(ids)


def test_the_bus_may_lose_everything_with_work_in_flight(
    start_relay: StartRelay, requests: Requests, bus: Bus, aws: Aws
) -> None:
    relay = start_relay(**SOON, max_in_flight=30)
    on_the_bus = requests.accept(20)
    wait_until(lambda: bus.depth("predict-sentiment") == 20)
    requests.claim(on_the_bus[:5], lease_s=2)  # their messages and their answers get lost
    aws.stop()
    meanwhile = requests.accept(20)
    wait_until(lambda: "waiting for the end of an outage" in relay.log)
    aws.start()
    assert "QueueUrls" not in bus.sqs.list_queues()
    bus.provision()
    work = work_off(bus, requests, lambda: requests.states()["SUCCEEDED"] == 40)
    assert work.keys() == {*on_the_bus, *meanwhile}
    assert relay.exit_code is None
    assert relay.log.count("publisher: waiting for the end of an outage") == 1
    assert "publisher: the outage is over" in relay.log


def test_topic_and_queues_may_be_made_after_the_relay_has_started(
    start_relay: StartRelay, requests: Requests, bus: Bus, aws: Aws
) -> None:
    aws.reset()
    relay = start_relay(**SOON)
    for model in MODELS:
        requests.accept(3, model=model)
    wait_until(lambda: "publisher: waiting for the end of an outage: the bus" in relay.log)
    bus.provision()
    wait_until(lambda: all(bus.depth(f"predict-{model}") == 3 for model in MODELS))


def test_the_database_may_crash_with_answers_in_hand(
    start_relay: StartRelay,
    requests: Requests,
    bus: Bus,
    postgres: Postgres,
) -> None:
    relay = start_relay(**SOON)
    ids = requests.accept(30)
    claims = requests.claim(ids)
    wait_until(lambda: bus.depth("predict-sentiment") == 30)
    postgres.stop_immediately()
    try:
        bus.answer(*map(answer, claims.values()))
        wait_until(lambda: "responses: waiting for the end of an outage" in relay.log)
    finally:
        postgres.start()
    wait_until(lambda: requests.states()["SUCCEEDED"] == 30)
    wait_until(lambda: bus.depth("predict-gateway") == 0)
    assert relay.exit_code is None
    assert relay.log.count("responses: waiting for the end of an outage") == 1


def test_word_of_new_requests_comes_again_after_the_connection_was_lost(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    relay = start_relay(poll_s=100)
    wait_until(lambda: listeners(requests) == 1)
    requests.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN outbox'"
    )
    wait_until(lambda: "listener: waiting for the end of an outage" in relay.log)
    wait_until(lambda: listeners(requests) == 1)
    requests.accept()
    assert bus.receive("predict-sentiment", wait_s=20)  # well before the poll


def listeners(requests: Requests) -> int:
    return len(requests.query("SELECT FROM pg_stat_activity WHERE query = 'LISTEN outbox'"))


def test_it_stops_when_told_and_ends_its_transactions(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    requests.accept(300)
    relay = start_relay(receive_wait_s=1)
    wait_until(lambda: len(requests.query("SELECT * FROM outbox")) < 300)
    assert relay.stop() == 0
    published = requests.query("SELECT * FROM requests WHERE publish_time IS NOT NULL")
    assert len(published) == bus.depth("predict-sentiment") > 0
    assert len(requests.query("SELECT * FROM outbox")) == 300 - len(published)
    assert "Traceback" not in relay.log


def test_a_second_signal_ends_it_at_once(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    requests.accept(1)
    relay = start_relay(patch=SLOW_PUBLISHING)
    wait_until(lambda: bus.depth("predict-sentiment") == 1)
    relay.terminate()
    wait_until(lambda: "stopping" in relay.log)
    relay.terminate()
    wait_until(lambda: relay.exit_code == 128 + signal.SIGTERM)
    assert len(requests.query("SELECT * FROM outbox")) == 1  # so that it is published again


def test_it_cannot_start_without_a_topic(database: Database) -> None:
    with Relay(database.environment) as relay:
        wait_until(lambda: relay.exit_code is not None)
        assert relay.exit_code == 1
        assert json.loads(relay.log)["message"] == "PMESH_TOPIC_ARN is not set"


def test_it_cannot_start_on_a_database_without_the_tables(postgres: Postgres, bus: Bus) -> None:
    empty = postgres.create_database(template="template0")
    with Relay({**empty.environment, **bus.environment}) as relay:
        wait_until(lambda: relay.exit_code is not None)
        assert relay.exit_code == 1
        assert "the database does not fit this program: " in relay.log.splitlines()[-1]
        assert "Traceback" not in relay.log
    postgres.drop_database(empty)
