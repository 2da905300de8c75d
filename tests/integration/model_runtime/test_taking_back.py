"""What PostgreSQL does with claims that were not tried."""

from uuid import uuid4

import pytest

from database import named_sql
from tests.parts.catalog import as_worker, register
from tests.parts.postgres import Database
from tests.parts.requests import Requests

_SQL = named_sql.load("model_runtime")


@pytest.fixture
def requests(database: Database) -> Requests:
    register(database, {"sentiment": ["1"], "genre": []})
    return Requests(database)


def take_back(database: Database, id_: str, token: str, *, model: str = "sentiment") -> bool:
    given = {"ids": [id_], "tokens": [token], "lease_s": 0, "untried": True}
    with as_worker(database, model) as connection:
        return bool(connection.execute(_SQL["extend"], given).fetchall())


def test_a_claim_is_taken_back_once_and_only_by_its_token(
    database: Database, requests: Requests
) -> None:
    (id_,) = requests.accept()
    requests.claim_one(id_, lease_s=0)
    token = requests.claim_one(id_).token
    assert not take_back(database, id_, str(uuid4()))
    assert not take_back(database, id_, token, model="genre")
    assert requests.get(id_)["attempt"] == 2
    assert take_back(database, id_, token)
    assert not take_back(database, id_, token)
    row = requests.get(id_)
    assert (row["state"], row["attempt"], row["leased"]) == ("RUNNING", 1, False)
    assert requests.claim_one(id_).token != token


def test_what_is_taken_back_is_claimed_with_others(database: Database, requests: Requests) -> None:
    ids = requests.accept(2)
    for id_, claim in requests.claim(ids).items():
        assert take_back(database, id_, claim.token)
    given = {"ids": ids, "lease_s": 60, "max_attempts": 1}
    with as_worker(database, "sentiment") as connection:
        rows = connection.execute(_SQL["claim"], given).fetchall()
    assert [row[1] for row in rows] == ["claimed", "claimed"]


@pytest.mark.parametrize("untried", [True, False])
def test_whoever_holds_a_request_notes_that_it_is_on_the_bus(
    database: Database, requests: Requests, untried: bool
) -> None:
    (id_,) = requests.accept()
    token = requests.claim_one(id_).token
    requests.execute("UPDATE requests SET publish_time = NULL")
    given = {"ids": [id_], "tokens": [token], "lease_s": 60, "untried": untried}
    with as_worker(database, "sentiment") as connection:
        connection.execute(_SQL["extend"], given)
    first = requests.get(id_)["publish_time"]
    assert first is not None
    if not untried:
        with as_worker(database, "sentiment") as connection:
            connection.execute(_SQL["extend"], given)
        assert requests.get(id_)["publish_time"] == first
