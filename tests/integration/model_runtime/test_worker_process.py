"""The worker as a process: outages, and how it starts and ends."""

import json
import os

import pytest

from database.logins import RELAY, Login, worker_login
from tests.integration.model_runtime.conftest import StartWorker
from tests.integration.model_runtime.process import Worker
from tests.integration.model_runtime.requests import QUEUE, Exchange
from tests.parts.aws import Aws
from tests.parts.bus_probe import Bus
from tests.parts.catalog import environment, register
from tests.parts.polling import wait_until
from tests.parts.postgres import Database, Postgres
from tests.parts.s3 import S3
from tests.parts.triton import Triton


def test_it_goes_on_after_each_outage(
    worker: Worker, requests: Exchange, bus: Bus, aws: Aws, s3: S3, postgres: Postgres
) -> None:
    postgres.stop_immediately()
    postgres.start()
    requests.wait_for_answers(requests.send("after PostgreSQL"))
    s3.stop()
    ids = requests.send("before S3")
    wait_until(lambda: "S3: waiting for the end of an outage" in worker.log)
    s3.start()
    requests.wait_for_answers(ids)
    aws.stop()
    wait_until(lambda: "the queue: waiting for the end of an outage" in worker.log)
    aws.start()
    bus.provision()
    requests.wait_for_answers(requests.send("after the bus"))
    assert worker.log.count("the queue: waiting for the end of an outage") == 1


def test_claims_are_kept_while_s3_is_away(
    start_worker: StartWorker, requests: Exchange, s3: S3
) -> None:
    worker = start_worker(PMESH_LEASE_S="1")
    s3.stop()
    try:
        (prediction_id,) = requests.send("a text")
        wait_until(lambda: "S3: waiting for the end of an outage" in worker.log)
        before = requests.get(prediction_id)["lease_until"]
        wait_until(lambda: requests.get(prediction_id)["lease_until"] > before)
        assert requests.collect() == set()
    finally:
        s3.start()
    requests.wait_for_answers([prediction_id])
    assert requests.get(prediction_id)["attempt"] == 1


def test_what_is_cancelled_while_the_model_is_away_is_never_run(
    worker: Worker, requests: Exchange, triton: Triton
) -> None:
    triton.kill()
    try:
        cancelled, kept = requests.send("cancelled", "kept")
        requests.wait_until_running(cancelled)
        requests.execute("UPDATE requests SET state = 'CANCELLED' WHERE id = %s", (cancelled,))
    finally:
        triton.start()
    requests.wait_for_answers([kept])
    assert set(requests.answers) == {kept}
    assert requests.get(kept)["attempt"] == 1


def test_stopping_finishes_what_runs(worker: Worker, requests: Exchange) -> None:
    ids = requests.send("sleep 2")
    requests.wait_until_running(ids[0])
    assert worker.stop() == 0
    requests.wait_for_answers(ids)
    requests.wait_until_deleted()


def test_stopping_takes_no_longer_than_it_may(
    start_worker: StartWorker, requests: Exchange
) -> None:
    worker = start_worker(PMESH_WORKER_FINISH_S="1")
    ids = requests.send("sleep 8")
    requests.wait_until_running(ids[0])
    assert worker.stop() == 0
    assert "work in flight was cut off after 1 s" in worker.log
    assert requests.collect() == set()
    row = requests.get(ids[0])
    assert (row["state"], row["leased"]) == ("RUNNING", True)


def test_stopping_gives_back_what_cannot_run(
    worker: Worker, requests: Exchange, bus: Bus, triton: Triton
) -> None:
    triton.kill()
    try:
        (prediction_id,) = requests.send("a text")
        requests.wait_until_running(prediction_id)
        assert worker.stop() == 0
        assert not requests.get(prediction_id)["leased"]
        messages = bus.receive(QUEUE)
        assert [json.loads(m["Body"])["predictionId"] for m in messages] == [prediction_id]
    finally:
        triton.start()


def test_a_second_signal_ends_it_at_once(worker: Worker, requests: Exchange) -> None:
    ids = requests.send("sleep 5")
    requests.wait_until_running(ids[0])
    worker.terminate()
    wait_until(lambda: "stopping" in worker.log)
    worker.terminate()
    assert worker.process.wait(100) == 128 + 15


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({}, "PMESH_TOPIC_ARN is not set"),
        (
            {"PMESH_TOPIC_ARN": "predict-events"},
            "PMESH_TOPIC_ARN must be the ARN of an SNS topic, not 'predict-events'",
        ),
    ],
)
def test_a_wrong_setting_is_one_line(variables: dict[str, str], line: str) -> None:
    with Worker(variables) as worker:
        assert worker.wait_for_end() == 1
        assert json.loads(worker.log)["message"] == line


@pytest.mark.parametrize(
    ("login", "line"),
    [
        (RELAY, "the database does not fit this program: permission denied for schema worker_v1"),
        (
            worker_login("genre"),
            "PMESH_MODEL is sentiment, but the login to the database is for genre",
        ),
    ],
)
def test_the_login_of_somebody_else_is_one_line(
    requests: Exchange, bus: Bus, database: Database, login: Login, line: str
) -> None:
    register(database, {"genre": []})
    (prediction_id,) = requests.send("a text")
    with Worker({**environment(database, login), **bus.environment}) as worker:
        assert worker.wait_for_end() == 1
        assert json.loads(worker.log)["message"] == line
    assert requests.get(prediction_id)["state"] == "ACCEPTED"
    assert bus.depth(QUEUE) == 1


def test_it_is_set_up_for_throughput(worker: Worker) -> None:
    assert os.sched_getscheduler(worker.process.pid) == os.SCHED_BATCH
