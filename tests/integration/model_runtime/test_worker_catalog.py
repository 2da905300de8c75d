"""What the catalog says of a version, and what its worker makes of it."""

import pytest

from tests.integration.model_runtime.conftest import StartWorker
from tests.integration.model_runtime.process import Worker
from tests.integration.model_runtime.requests import Exchange
from tests.parts.catalog import set_version
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import Database
from tests.parts.triton import Triton


@pytest.mark.parametrize("state", ["LOADING", "RETIRED", "REFUSED", None])
def test_a_version_that_does_not_serve_is_an_error(
    worker: Worker, requests: Exchange, database: Database, state: str | None
) -> None:
    if state:
        set_version(database, "2", state)
    (answer,) = requests.wait_for_answers(requests.send("a text", version="2" if state else "9"))
    (detail,) = answer["error"]["details"]
    assert detail["reason"] == "VERSION_NOT_FOUND"
    assert detail["metadata"] == {"model": "sentiment", "version": answer["version"]}
    requests.wait_until_deleted()


def test_a_version_that_drains_still_answers(
    worker: Worker, requests: Exchange, database: Database
) -> None:
    set_version(database, "2", "DRAINING")
    (answer,) = requests.wait_for_answers(requests.send("a text", version="2"))
    assert answer["output"]["label"] == "neutral"


def test_labels_are_those_of_the_version(
    worker: Worker, requests: Exchange, database: Database
) -> None:
    set_version(database, "2", labels=["low", "middle", "high"])
    ids = [*requests.send("a text", version="2"), *requests.send("a text", version="1")]
    two, one = requests.wait_for_answers(ids)
    assert two["output"]["scores"] == {"low": 0.25, "middle": 0.5, "high": 0.25}
    assert two["output"]["label"] == "middle"
    assert one["output"]["label"] == "neutral"


def test_a_version_may_have_a_server_of_its_own(
    worker: Worker, requests: Exchange, database: Database, triton: Triton
) -> None:
    requests.execute("UPDATE models SET address = %s", (f"127.0.0.1:{free_port()}",))
    set_version(database, "2", address=triton.address)
    held_up = requests.send("a text", version="1")
    (answer,) = requests.wait_for_answers(requests.send("a text", version="2"))
    assert answer["output"]["label"] == "neutral"
    assert requests.get(held_up[0])["state"] == "RUNNING"
    requests.execute("UPDATE requests SET state = 'CANCELLED' WHERE version = '1'")


def test_a_version_that_its_server_does_not_know_is_waited_for_and_holds_up_no_other(
    start_worker: StartWorker, requests: Exchange, database: Database
) -> None:
    set_version(database, "7")
    (unknown,) = requests.send("a text", version="7")
    (known,) = requests.send("a text", version="1")
    worker = start_worker(PMESH_LEASE_S="2")  # takes both at once
    requests.wait_for_answers([known])
    wait_until(lambda: "version 7 does not answer" in worker.log)
    before = requests.get(unknown)["lease_until"]
    wait_until(lambda: requests.get(unknown)["lease_until"] > before)
    requests.execute("UPDATE requests SET state = 'CANCELLED' WHERE id = %s", (unknown,))
    requests.wait_until_deleted()
    assert requests.answer_count == 1
    assert worker.stop() == 0
