"""No statement costs more for the days that the record has: each opens those that it needs."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, cast
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection

from contract.days import MAX_TTL, first_id, unfinished_since
from contract.ids import uuid7
from database import named_sql
from database.connections import UNPREPARED
from gateway.prediction import ListFilter
from gateway.store.connections import Connections
from gateway.store.predictions import PredictionStore
from relay.sweeps import expire_left_behind
from tests.integration.gateway.test_store import finished
from tests.parts.catalog import as_worker, register
from tests.parts.postgres import Database
from tests.parts.requests import Requests

FEW, MANY = 40, 400
"""Days that the record has behind it."""
MOST = 18
"""Partitions of a table that a statement opens: 8 days back, today, 7 to come, what is of no day,
and one for the hour."""
NOW = datetime.now(UTC)


def _code(statement: str) -> str:
    return re.sub(r"--.*", "", statement)


RECORD = re.compile(
    r"\b(requests|predictions)\b|\bworker_v1\.(claim|extend)\b|\brelay_v1\.(clear|drop)_day\b"
)
STATEMENTS: dict[str, LiteralString] = {
    f"{package}-{name}": statement
    for package in ("gateway.store", "relay", "rollout", "model_runtime")
    for name, statement in named_sql.load(package).items()
    if RECORD.search(_code(statement))
}
"""All that name the record, or a function that looks into it."""

IDS = [uuid7(), uuid7()]
ROW = {
    "id": uuid7(),
    "model": "sentiment",
    "version": "1",
    "text": "a text",
    "create_time": NOW.isoformat(),
    "expire_time": NOW.isoformat(),
    "complete_time": NOW.isoformat(),
    "label": "positive",
    "confidence": 1,
    "scores": {"positive": 1},
    "features_uri": "",
}
COMMON: dict[str, Any] = {
    "rows": json.dumps([ROW]),
    "ids": IDS,
    "texted": IDS,
    "labelled": IDS,
    "since": unfinished_since(),
    "until": first_id(NOW, later_s=86400),
    "model": "sentiment",
    "models": ["sentiment"],
    "version": ["1", "1"],
    "state": None,
    "start_time": None,
    "end_time": None,
    "with_text": True,
    "unlabeled": None,
    "limit": 10,
    "max_bytes": 1000,
    "max_in_flight": 10,
    "max_ttl": MAX_TTL,
    "age_s": 1,
    "max_attempts": 5,
    "lease_s": 60,
    "drain_s": 1,
    "tokens": [str(uuid4())] * 2,
    "untried": False,
    "errors": ["{}"] * 2,
    "day": NOW.date() - timedelta(days=30),
    "today": NOW.date(),
}
OWN: dict[str, dict[str, Any]] = {
    "gateway.store-search": {"version": None},
    "gateway.store-cancel": {"id": IDS[0]},
    "relay-answer": {
        "id": IDS,
        "model": ["sentiment"] * 2,
        "claim_token": [str(uuid4())] * 2,
        "error": [None, "{}"],
        "label": ["positive", None],
        "confidence": [1.0, None],
        "scores": ['{"positive": 1}', None],
        "value": [None, None],
        "features_uri": ["", ""],
    },
}
"""What the statements are given; a new one that wants more says it here."""


def opened(connection: "psycopg.Connection[Any]", name: str) -> int:
    """Partitions of the record that a statement has PostgreSQL open, planning included."""
    with connection.transaction(force_rollback=True):
        connection.execute(STATEMENTS[name], COMMON | OWN.get(name, {}), prepare=False)
        row = connection.execute(
            "SELECT count(DISTINCT c.oid), count(DISTINCT i.inhparent)"
            " FROM pg_locks l JOIN pg_inherits i ON i.inhrelid = l.relation"
            " JOIN pg_class c ON c.oid = l.relation AND c.relkind = 'r'"
            " WHERE l.pid = pg_backend_pid()"
        ).fetchone()
    assert row is not None
    partitions, tables = row
    assert partitions <= MOST * max(tables, 1), name
    return int(partitions)


def add_days(database: Database, days: int) -> None:
    """Make the partitions of the days before today."""
    with database.connect() as connection:
        for first in range(1, days + 1, 50):
            connection.execute(
                """
                DO $do$ DECLARE parent text; day timestamptz; BEGIN
                FOR i IN %s..%s LOOP
                    day := date_trunc('day', now(), 'UTC') - i * interval '1 day';
                    FOREACH parent IN ARRAY ARRAY['requests', 'predictions'] LOOP
                        EXECUTE format('CREATE TABLE IF NOT EXISTS %%I PARTITION OF %%I'
                            ' FOR VALUES FROM (%%L) TO (%%L)',
                            parent || to_char(day AT TIME ZONE 'UTC', '_YYYYMMDD'), parent,
                            uuid_at(day), uuid_at(day + interval '1 day'));
                    END LOOP;
                END LOOP; END $do$
                """.replace("%s..%s", f"{first}..{min(first + 49, days)}").replace("%%", "%")  # type: ignore[arg-type]
            )


def test_no_statement_opens_more_days_when_there_are_more(database: Database) -> None:
    register(database, {"sentiment": ["1"]})
    counts: list[dict[str, int]] = []
    for days in (FEW, MANY):
        add_days(database, days)
        with (
            psycopg.connect(database.conninfo, autocommit=True) as owner,
            as_worker(database, "sentiment") as worker,
        ):
            counts.append({})
            for name in STATEMENTS:
                connection = worker if name.startswith("model_runtime") else owner
                for _ in range(12):  # a function's plan that knows no ids is made after five
                    counts[-1][name] = opened(connection, name)
    assert counts[0] == counts[1]
    assert counts[0].keys() >= {"gateway.store-get", "relay-answer", "model_runtime-claim"}
    assert counts[0]["gateway.store-get"] == 2


async def test_the_gateway_prepares_nothing_that_looks_into_the_record(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    async with Connections(1) as connections, PredictionStore(connections, max_waiting=9) as store:
        prediction = finished()
        await store.insert_finished(prediction, "")
        for _ in range(12):
            assert await store.get(prediction.id)
            await store.cancel(prediction.id)
            await store.find(uuid7())
            page = await store.search(ListFilter(), before_id=None, limit=9, max_bytes=9)
            assert [found.id for found in page] == [prediction.id]
        async with connections.connection() as connection:
            cursor = await connection.execute("SELECT statement FROM pg_prepared_statements")
            prepared = [row[0] for row in await cursor.fetchall()]
    assert prepared  # of what finds request_ids
    assert not [statement for statement in prepared if RECORD.search(_code(statement))]


@pytest.mark.parametrize("age", [timedelta(days=30), timedelta(days=4000)])
async def test_unfinished_work_of_old_days_expires_in_the_end(
    database: Database, age: timedelta
) -> None:
    """As of a time without a relay, or of a clock that was wrong; some of it without an end."""
    add_days(database, FEW)
    requests = Requests(database)
    made = NOW - age
    ids = [first_id(made, later_s=second) for second in range(3)]
    for id, expire_time in zip(ids, [made, None, NOW + age], strict=True):
        requests.execute(
            "INSERT INTO requests (id, model, version, text, state, create_time, expire_time)"
            " VALUES (%s, 'sentiment', '1', 'a text', 'ACCEPTED', %s, %s)",
            (id, made, expire_time),
        )
    async with await AsyncConnection.connect(database.conninfo, **UNPREPARED) as connection:
        await expire_left_behind(cast("AsyncConnection[Any]", connection))
    states = [requests.get(id)["state"] for id in ids]
    assert states == ["EXPIRED", "EXPIRED", "ACCEPTED"]


async def test_a_page_is_found_over_days_and_those_of_no_day(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    add_days(database, FEW)
    requests = Requests(database)
    ages = [-400, -3, 0, 1, 2, 9, 30, 39, 60, 900, 5000]
    ids = [first_id(NOW - timedelta(days=age)) for age in ages]
    for id, age in zip(ids, ages, strict=True):
        requests.execute(
            "INSERT INTO requests (id, model, version, text, state, create_time)"
            " VALUES (%s, 'sentiment', '1', 'four', 'SUCCEEDED', %s)",
            (id, NOW - timedelta(days=age)),
        )
    async with Connections(1) as connections, PredictionStore(connections, max_waiting=9) as store:

        async def found(
            where: ListFilter = ListFilter(),  # noqa: B008
            before_id: str | None = None,
            limit: int = 99,
            max_bytes: int = 999,
        ) -> list[str]:
            page = await store.search(where, before_id=before_id, limit=limit, max_bytes=max_bytes)
            return [prediction.id for prediction in page]

        assert await found() == ids
        assert await found(limit=5) == ids[:5]
        assert await found(max_bytes=11) == ids[:3]
        assert await found(before_id=ids[4], limit=4) == ids[5:9]
        since, until = NOW - timedelta(days=39), NOW - timedelta(days=1)
        assert await found(ListFilter(start_time=since, end_time=until)) == ids[4:8]
        assert await found(ListFilter(version="2")) == []
