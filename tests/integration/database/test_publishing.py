"""Relays share the models out; the events that SQL writes are those of the contract."""

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from google.protobuf import json_format
from predict.events.v1.events_pb2 import InferenceRequested, JobCompleted
from predict.v1.prediction_pb2 import PredictionState

from contract.days import FIRST_ID
from database import named_sql
from database.logins import RELAY
from tests.integration.database.conftest import Connect
from tests.parts.postgres import Database
from tests.parts.requests import Requests

SQL = named_sql.load("relay")


def lock_models(relay: "psycopg.Connection[Any]") -> list[str]:
    relay.execute("SET LOCAL lock_timeout = '2s'")  # it must never wait
    return sorted(row[0] for row in relay.execute(SQL["lock_models"]).fetchall())


def test_a_model_is_one_relays_until_its_transaction_ends(
    requests: Requests, connect: Connect
) -> None:
    requests.accept()
    first, second = connect(RELAY), connect(RELAY)
    with first.transaction():
        assert lock_models(first) == ["sentiment"]
        requests.accept(model="genre")
        with second.transaction():
            assert lock_models(second) == ["genre"]
            assert lock_models(first) == ["sentiment"]
    with second.transaction():
        assert lock_models(second) == ["genre", "sentiment"]


def test_a_model_without_requests_is_nobodys(requests: Requests, connect: Connect) -> None:
    relay = connect(RELAY)
    with relay.transaction():
        assert lock_models(relay) == []


def test_two_relays_keep_the_bound_on_work_in_flight(requests: Requests, connect: Connect) -> None:
    requests.accept(10)
    relays = [connect(RELAY), connect(RELAY)]

    def publish(relay: "psycopg.Connection[Any]", models: Sequence[str]) -> int:
        limits = {"models": models, "since": FIRST_ID, "max_in_flight": 3, "limit": 2}
        rows = relay.execute(SQL["claim_requests"], limits).fetchall()
        relay.execute(SQL["delete_events"], {"ids": [row[0] for row in rows]})
        relay.execute(SQL["mark_published"], {"ids": [row[5] for row in rows]})
        return len(rows)

    published = 0
    for _ in range(4):
        with relays[0].transaction(), relays[1].transaction():
            published += sum(publish(relay, lock_models(relay)) for relay in relays)
    assert published == 3


@pytest.fixture
def owner(database: Database) -> "Iterator[psycopg.Connection[Any]]":
    with psycopg.connect(database.conninfo) as connection:
        yield connection


def written(connection: "psycopg.Connection[Any]", expression: str, *given: object) -> str:
    """An event as the relay publishes it: with the id of its row."""
    connection.execute("SET TimeZone = 'Asia/Kolkata'")
    query = f"SELECT {expression} || jsonb_build_object('eventId', gen_random_uuid())"
    return json.dumps(connection.execute(query.encode(), given).fetchall()[0][0])


def test_a_request_is_the_event_of_the_contract(owner: "psycopg.Connection[Any]") -> None:
    id_ = str(uuid4())
    body = written(owner, "events_v1.inference_requested(%s, 'genre', '3')", id_)
    event = json_format.Parse(body, InferenceRequested())
    assert (event.prediction_id, event.model, event.version) == (id_, "genre", "3")


def test_a_completion_is_the_event_of_the_contract(owner: "psycopg.Connection[Any]") -> None:
    ids = [str(uuid4()), str(uuid4())]
    body = written(
        owner,
        "events_v1.job_completed('genre', '2026-03-01 12:00+00', jsonb_build_array("
        " events_v1.completed_prediction(%s, '1', 'SUCCEEDED'),"
        " events_v1.completed_prediction(%s, '2', 'FAILED')))",
        *ids,
    )
    event = json_format.Parse(body, JobCompleted())
    assert event.complete_time.ToJsonString() == "2026-03-01T12:00:00Z"
    assert [(p.prediction_id, p.version, p.state) for p in event.predictions] == [
        (ids[0], "1", PredictionState.PREDICTION_STATE_SUCCEEDED),
        (ids[1], "2", PredictionState.PREDICTION_STATE_FAILED),
    ]
