"""One version's trouble ends no other's: the server of a version is away, and comes back."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

import grpc
import numpy as np
import pytest

from model_runtime.queue_worker import MAX_BATCHES, MAX_MESSAGES
from tests.integration.model_runtime.conftest import StartWorker
from tests.integration.model_runtime.process import Worker
from tests.integration.model_runtime.requests import QUEUE, Exchange
from tests.parts.bus_probe import Bus
from tests.parts.catalog import set_version
from tests.parts.oip_server import Answer, OipServer, Refusal
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.words_server import Outputs

VERSION = "12"


def neutral(texts: Sequence[str]) -> Outputs:
    return {"scores": np.array([[0.25, 0.5, 0.25]] * len(texts), np.float32)}


def server(answer: Answer = neutral) -> OipServer:
    return OipServer(answer, model="sentiment", version=VERSION, declares=False)


@pytest.fixture
def theirs(database: Database, requests: Exchange) -> Iterator[OipServer]:
    """The server of others for version 12."""
    with server() as theirs:
        set_version(database, VERSION, address=theirs.address)
        yield theirs


def wait_until_given_back(requests: Exchange, ids: Sequence[str]) -> None:
    """Until each was claimed, and its claim taken back."""
    given_back = (
        "SELECT FROM requests WHERE id = ANY (%s)"
        " AND state = 'RUNNING' AND claim_token IS NULL AND lease_until > now()"
    )
    wait_until(lambda: len(requests.query(given_back, (list(ids),))) == len(ids))


def test_work_for_a_server_that_is_away_holds_up_no_other_version(
    start_worker: StartWorker, requests: Exchange, theirs: OipServer
) -> None:
    theirs.stop()
    dead = requests.send(*["a text"] * (MAX_BATCHES * MAX_MESSAGES + 50), version=VERSION)
    start_worker()
    alive = requests.send("a text", version="1")
    requests.wait_for_answers(alive)
    assert set(requests.answers) == set(alive)
    wait_until_given_back(requests, dead)
    assert {requests.get(id)["attempt"] for id in dead} == {0}
    theirs.start()
    requests.wait_for_answers(dead)
    assert {requests.get(id)["attempt"] for id in dead} == {1}
    assert requests.answer_count == len(dead) + 1


def test_work_is_done_at_a_new_address(
    worker: Worker, requests: Exchange, theirs: OipServer, database: Database
) -> None:
    theirs.stop()
    ids = requests.send("a text", "another", version=VERSION)
    wait_until_given_back(requests, ids)
    with server() as other:
        set_version(database, VERSION, address=other.address)
        requests.wait_for_answers(ids)
        assert other.calls
    assert {requests.get(id)["attempt"] for id in ids} == {1}


def test_work_for_a_server_that_is_away_is_hidden_for_a_while(
    worker: Worker, requests: Exchange, theirs: OipServer, bus: Bus
) -> None:
    theirs.stop()
    (id_,) = ids = requests.send("a text", version=VERSION)
    leases = []
    for _ in range(3):
        wait_until_given_back(requests, ids)
        leases.append(requests.get(id_)["lease_until"])
        received = bus.receive(QUEUE, delete=False)
        assert not (received and requests.get(id_)["leased"])
        wait_until(lambda: requests.get(id_)["lease_until"] > leases[-1])
    assert all(after - before >= timedelta(seconds=4) for before, after in pairwise(leases))
    assert worker.log.count("does not answer") == 1


def test_an_outage_in_the_middle_of_work_costs_no_more_than_the_attempt_under_way(
    start_worker: StartWorker, requests: Exchange, theirs: OipServer
) -> None:
    worker = start_worker(PMESH_MAX_ATTEMPTS="2")
    requests.wait_for_answers(requests.send("a text", version=VERSION))
    theirs.stop()
    ids = requests.send(*["a text"] * 5, version=VERSION)
    wait_until(lambda: worker.log.count("requests were given back") > 1)
    theirs.start()
    requests.wait_for_answers(ids)


def test_a_server_with_too_much_to_do_holds_up_no_other_version_and_costs_no_attempt(
    worker: Worker, requests: Exchange, theirs: OipServer
) -> None:
    def refuse(texts: Sequence[str]) -> Outputs:
        raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED)

    theirs.answer = refuse
    ids = requests.send("a text", "another", version=VERSION)
    wait_until_given_back(requests, ids)
    requests.wait_for_answers(requests.send("a text", version="1"))
    assert {requests.get(id)["attempt"] for id in ids} == {0}
    theirs.answer = neutral
    requests.wait_for_answers(ids)
    assert {requests.get(id)["attempt"] for id in ids} == {1}


def test_stopping_takes_back_what_was_not_asked(
    worker: Worker, requests: Exchange, theirs: OipServer
) -> None:
    theirs.stop()
    (id_,) = requests.send("a text", version=VERSION)
    requests.wait_until_running(id_)
    assert worker.stop() == 0
    assert requests.get(id_)["attempt"] == 0
