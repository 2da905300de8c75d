"""No statement costs more for the days that the record has: each opens those that it needs."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest

import monitoring.store as monitoring
import relay.connections as relay
import rollout.store as rollout
from contract.days import MAX_TTL, first_id, unfinished_since
from contract.ids import uuid7
from database import named_sql
from gateway.prediction import ListFilter
from gateway.rights import EVERYTHING
from gateway.store.connections import Connections
from gateway.store.predictions import PredictionStore
from gateway.store.search import find_page
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


ROOT = Path(__file__).parents[3]
STATEMENTS: dict[str, LiteralString] = {
    f"{file.relative_to(ROOT).with_suffix('').as_posix()}/{name}": statement
    for file in sorted(ROOT.glob("[a-z]*/**/*.sql"))
    if file.relative_to(ROOT).parts[0] not in {"benchmarks", "build", "tests"}
    for name, statement in named_sql.load(
        ".".join(file.parent.relative_to(ROOT).parts), file.name
    ).items()
}
"""Of all programs, by file and name."""

ALL_DAYS = {
    "monitoring/queries/first_hour": "once an hour of a model without hours: its first may be old"
}
"""Statements that look at all of the record, and why they may."""


def _code(statement: str) -> str:
    """Without comments and strings."""
    return re.sub(r"--.*|'[^']*'", "", statement)


TABLES = r"\b(FROM|JOIN|INTO|UPDATE|USING)[\s(]+(public\.)?(requests|predictions)\b"
RECORD = re.compile(TABLES)


def _naming(functions: Iterable[str]) -> re.Pattern[str]:
    """Finds the tables of the record, and these functions."""
    return re.compile("|".join([TABLES, *(rf"\b{_called(f)}\b" for f in functions)]))


def functions_of_record(database: Database) -> dict[str, str]:
    """Schema and name -> body of those that look into it, by themselves or by each other."""
    with database.connect() as connection:
        bodies = {
            row["name"]: _code(row["body"])
            for row in connection.execute(
                "SELECT pronamespace::regnamespace || '.' || proname AS name,"
                " coalesce(pg_get_function_sqlbody(oid), prosrc) AS body FROM pg_proc"
                " WHERE pronamespace::regnamespace::text !~ '^(pg_|information_schema)'"
                " UNION ALL SELECT schemaname || '.' || viewname, definition FROM pg_views"
                " WHERE schemaname !~ '^(pg_|information_schema)'"
            )
        }
    found: dict[str, str] = {}
    while more := {
        name: body
        for name, body in bodies.items()
        if name not in found and _naming(found).search(body)
    }:
        found |= more
    return found


def _called(function: str) -> str:
    return re.escape(function.removeprefix("public."))


def statements_of_record(functions: Iterable[str]) -> dict[str, LiteralString]:
    """All that name the record, or a function that looks into it."""
    naming = _naming(functions)
    return {name: sql for name, sql in STATEMENTS.items() if naming.search(_code(sql))}


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
LABEL: dict[str, Any] = {
    "id": uuid7(),
    "place": 0,
    "prediction_id": IDS[0],
    "model": "sentiment",
    "label": "positive",
    "source": "CLIENT",
    "annotator": "",
    "adjudicated": False,
    "choice": "",
    "caller": "",
}
COMMON: dict[str, Any] = {
    "rows": json.dumps([ROW]),
    "ids": IDS,
    "texted": IDS,
    "labelled": IDS,
    "reach": None,
    "caller": None,
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
MONITORING: dict[str, Any] = {
    "version": "1",
    "from": NOW - timedelta(hours=1),
    "to": NOW,
    "known": None,
    "tag_slices": 9,
}
OWN: dict[str, dict[str, Any]] = {
    "annotation/queries/unconsidered": {"settling": timedelta(seconds=5)},
    "annotation/queries/candidates": {"start": NOW - timedelta(hours=1), "end": NOW, "most": 10},
    "annotation/queries/choose": {
        "project": 1,
        "chosen": json.dumps([{"prediction_id": IDS[0], "choice": "control", "weight": 1}]),
        "considered": IDS[1],
    },
    "annotation/queries/begin_sending": {"project": 1, "age": timedelta(minutes=1), "most": 10},
    "annotation/queries/take": {
        "project": 1,
        "task": 1,
        "prediction_id": IDS[0],
        "said": json.dumps([]),
    },
    "training/queries/labelled": {"since": None},
    "gateway/store/queries/search": {"version": None},
    "gateway/store/queries/cancel": {"id": IDS[0]},
    "gateway/store/queries/erase": {"id": IDS[0]},
    "gateway/store/labels/attach": {"said": json.dumps([LABEL])},
    "gateway/store/labels/withdraw": {"id": LABEL["id"], "caller": ""},
    "monitoring/queries/counts": MONITORING,
    "monitoring/queries/places": MONITORING,
    "monitoring/queries/sample": MONITORING,
    "monitoring/queries/feature_uris": MONITORING,
    "monitoring/queries/sizes": MONITORING,
    "relay/queries/answer": {
        "id": IDS,
        "model": ["sentiment"] * 2,
        "claim_token": [str(uuid4())] * 2,
        "error": [None, "{}"],
        "label": ["positive", None],
        "confidence": [1.0, None],
        "scores": ['{"positive": 1}', None],
        "value": [None, None],
        "features_uri": ["", ""],
        "traceparent": [None, None],
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


def fill(database: Database) -> None:
    """A finished prediction with a label and a task, for statements that do nothing without one."""
    Requests(database).execute(
        "INSERT INTO requests (id, model, version, text, state, create_time, complete_time)"
        " VALUES (%s, 'sentiment', '1', 'a text', 'SUCCEEDED', now(), now())",
        (IDS[0],),
    )
    Requests(database).execute(
        "INSERT INTO predictions (id, label, confidence, scores, features_uri)"
        " VALUES (%s, 'positive', 1, '{}', 's3://a/b')",
        (IDS[0],),
    )
    Requests(database).execute(
        "INSERT INTO labels (id, prediction_id, model, label, source, label_time)"
        " VALUES (%s, %s, 'sentiment', 'positive', 'CLIENT', now())",
        (LABEL["id"], IDS[0]),
    )
    Requests(database).execute(
        "INSERT INTO annotation_tasks (prediction_id, model, project, task, choice, weight, state)"
        " VALUES (%s, 'sentiment', 1, 1, 'control', 1, 'SENT'),"
        " (%s, 'sentiment', 1, NULL, 'control', 1, 'SENDING')",
        tuple(IDS),
    )


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
    fill(database)
    functions = functions_of_record(database)
    statements = statements_of_record(functions).keys() - ALL_DAYS
    counts: list[dict[str, int]] = []
    for days in (FEW, MANY):
        add_days(database, days)
        with (
            psycopg.connect(database.conninfo, autocommit=True) as owner,
            as_worker(database, "sentiment") as worker,
        ):
            counts.append({})
            for name in sorted(statements):
                connection = worker if name.startswith("model_runtime") else owner
                calls = re.search(rf"\b({'|'.join(map(_called, functions))})\b", STATEMENTS[name])
                # A function's plan that knows no ids is made after five calls.
                for _ in range(7 if calls else 1):
                    counts[-1][name] = opened(connection, name)
    assert counts[0] == counts[1]
    assert not [name for name, partitions in counts[0].items() if not partitions]
    assert counts[0]["gateway/store/queries/get"] == 2


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("get", {"reach": json.dumps([{"id": id_, "caller": "ann", "own": []} for id_ in IDS])}),
        ("search", {"version": None, "caller": "ann", "models": ["sentiment"]}),
    ],
)
def test_what_is_a_callers_own_opens_no_more_days(
    database: Database, monkeypatch: pytest.MonkeyPatch, name: str, given: dict[str, Any]
) -> None:
    add_days(database, FEW)
    statement = f"gateway/store/queries/{name}"
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        of_all = opened(connection, statement)
        monkeypatch.setitem(OWN, statement, given)
        assert opened(connection, statement) == of_all


def test_all_that_looks_into_the_record_is_looked_at_here(database: Database) -> None:
    functions = functions_of_record(database)
    statements = statements_of_record(functions)
    assert statements.keys() >= {
        "gateway/store/queries/get",
        "relay/queries/answer",
        "model_runtime/queries/claim",
    }
    assert functions.keys() >= {"worker_v1.claim", "labels_v1.attach", "monitoring_v1.places"}
    asking = " ".join(map(_code, (*statements.values(), *functions.values())))
    assert not [name for name in functions if not re.search(rf"\b{_called(name)}\b", asking)]
    assert ALL_DAYS.keys() <= statements.keys()


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
        await store.find(uuid7())  # a search has forgotten it
        async with connections.connection() as connection:
            cursor = await connection.execute("SELECT statement FROM pg_prepared_statements")
            prepared = [row[0] for row in await cursor.fetchall()]
    assert prepared  # of what finds request_ids
    assert not [statement for statement in prepared if RECORD.search(_code(statement))]


async def test_no_other_program_prepares_anything(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    prepared = "SELECT statement FROM pg_prepared_statements"
    async with relay.make_pool() as pool, pool.connection() as pooled, await relay.connect() as own:
        for connection in (pooled, own):
            for _ in range(12):
                assert not await (await connection.execute(prepared)).fetchall()
    with rollout.connect(lock_s=1) as releases, monitoring.connect() as figures:
        for synchronous in (releases, figures):
            for _ in range(12):
                assert not synchronous.execute(prepared).fetchall()


@pytest.mark.parametrize("age", [timedelta(days=30), timedelta(days=4000)])
async def test_unfinished_work_of_old_days_expires_in_the_end(
    database: Database, monkeypatch: pytest.MonkeyPatch, age: timedelta
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
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    async with await relay.connect() as connection:
        await expire_left_behind(connection)
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


async def test_a_search_keeps_no_lock_of_the_days_that_it_has_looked_at(
    database: Database,
) -> None:
    add_days(database, FEW)
    held = "SELECT count(*) FROM pg_locks l JOIN pg_inherits i ON i.inhrelid = l.relation"
    async with (
        Connections(1, conninfo=database.conninfo) as connections,
        connections.connection() as connection,
        connection.transaction(),
    ):
        assert not await find_page(
            connection,
            ListFilter(),
            portions=EVERYTHING.portions(),
            before_id=None,
            limit=9,
            max_bytes=9,
            with_text=True,
        )
        row = await (await connection.execute(held)).fetchone()
    assert row == (0,)


async def test_a_connection_that_is_old_is_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Connections(1, conninfo=database.conninfo) as connections:

        async def backend() -> int:
            async with connections.connection() as connection:
                return connection.info.backend_pid

        young = await backend()
        assert await backend() == young
        monkeypatch.setattr("gateway.store.connections.MAX_AGE_S", 0)
        assert await backend() == young
        assert await backend() != young
