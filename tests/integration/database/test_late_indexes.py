"""The predictions of a version, and those of a caller, are found without looking at the others."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any, LiteralString, cast

import psycopg
import pytest

from contract.days import FIRST_ID, LAST_ID
from database import named_sql
from database.logins import RELAY
from relay.connections import make_pool
from relay.upkeep import Upkeep
from tests.integration.database.test_days import COMMON, FEW, add_days
from tests.parts.catalog import environment
from tests.parts.postgres import Database

SEARCH = named_sql.load("gateway.store")["search"]
INDEXES = {"requests_by_version": "0014_growth.sql", "requests_by_caller": "0016_ownership.sql"}
"""Each with the migration that makes it."""
FUNCTIONS = {"requests_by_version": "index_by_version", "requests_by_caller": "give_index"}
"""Those that the migrations make with them."""
RARE = {
    "requests_by_version": {"version": "2", "caller": None},
    "requests_by_caller": {"version": None, "caller": "ann"},
}
"""What each finds quickly."""


def fill(database: Database, *, rows: int) -> None:
    """Predictions of today and of each of the last days, one of 1,000 by version 2 and for ann."""
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO requests (id, model, version, text, state, create_time, caller)"
            " SELECT overlay(uuid_at(time)::text PLACING substr(gen_random_uuid()::text, 15)"
            "                FROM 15)::uuid,"
            "        'sentiment', CASE WHEN n %% 1000 = 1 THEN '2' ELSE '1' END, 'a text',"
            "        'SUCCEEDED', time, CASE WHEN n %% 1000 = 1 THEN 'ann' ELSE '' END"
            " FROM generate_series(1, %(rows)s) AS n CROSS JOIN LATERAL ("
            "     SELECT now() - (n - 1) * %(days)s * interval '1 day' / %(rows)s AS time) AS t",
            {"rows": rows, "days": FEW},
        )
        connection.execute("ANALYZE requests")


def lacking(database: Database, index: str) -> list[str]:
    """The partitions that do not have the index."""
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'requests'::regclass AND NOT EXISTS ("
            "     SELECT FROM pg_index x JOIN pg_inherits p ON p.inhrelid = x.indexrelid"
            "     WHERE x.indrelid = c.oid AND p.inhparent = %s::regclass)"
            " ORDER BY relname",
            (index,),
        )
        return [row["relname"] for row in rows]


def rejected(connection: "psycopg.Connection[Any]", index: str) -> int:
    """Rows that a search for what is rare looks at in vain."""
    conditions = {
        **RARE[index],
        "model": None if index == "requests_by_caller" else "sentiment",
        "models": None,
        "since": FIRST_ID,
        "until": LAST_ID,
        "max_bytes": 10**6,
    }
    explain = cast("LiteralString", f"EXPLAIN (ANALYZE, FORMAT JSON) {SEARCH}")
    row = connection.execute(explain, COMMON | conditions, prepare=False).fetchone()
    assert row is not None
    return sum(node.get("Rows Removed by Filter", 0) for node in nodes(row[0][0]["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Of a plan, itself included."""
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def test_what_is_rare_is_found_among_many_rows(database: Database) -> None:
    add_days(database, FEW)
    fill(database, rows=10_000)
    for index in INDEXES:
        assert lacking(database, index) == []
        with psycopg.connect(database.conninfo, autocommit=True) as connection:
            assert rejected(connection, index) == 0
            with connection.transaction(force_rollback=True):
                connection.execute(cast("LiteralString", f"DROP INDEX {index}"))
                assert rejected(connection, index) > 9000


def test_an_index_of_callers_has_nothing_of_those_without_a_name(database: Database) -> None:
    add_days(database, FEW)
    fill(database, rows=10_000)
    with database.connect() as connection:
        row = connection.execute(
            "SELECT sum(c.reltuples)::int AS rows FROM pg_inherits i"
            " JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'requests_by_caller'::regclass"
        ).fetchone()
    assert row == {"rows": 10}


@pytest.mark.parametrize("index", INDEXES)
async def test_days_of_before_get_the_index_one_by_one(
    database: Database, monkeypatch: pytest.MonkeyPatch, index: str
) -> None:
    migration = files("database").joinpath("migrations", INDEXES[index]).read_text()
    add_days(database, FEW)
    fill(database, rows=1000)
    with psycopg.connect(database.conninfo, autocommit=True) as owner:
        owner.execute(cast("LiteralString", f"DROP INDEX {index}"))
        owner.execute(cast("LiteralString", f"DROP FUNCTION IF EXISTS {FUNCTIONS[index]}"))
        owner.execute(cast("LiteralString", migration))
    days = lacking(database, index)
    assert len(days) == FEW + 1  # those with rows
    for name, value in environment(database, RELAY).items():
        monkeypatch.setenv(name, value)
    async with make_pool() as pool:
        async with pool.connection() as connection:
            await connection.execute("SELECT relay_v1.index_day()")
        assert len(lacking(database, index)) == len(days) - 1
        await Upkeep(pool=pool).step()
    assert lacking(database, index) == days[-10:]  # whose requests may be unfinished
