"""Each program's role may run each of its statements, and no other role may but by design."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg import errors

from database import named_sql
from tests.parts.postgres import Database, Postgres

PROGRAMS = {
    "pmesh_gateway": [
        ("gateway.store", "queries.sql"),
        ("gateway.store", "catalog.sql"),
        ("gateway.store", "labels.sql"),
        ("gateway.store", "quality.sql"),
        ("gateway.store", "releases.sql"),
    ],
    "pmesh_annotation": [("annotation", "queries.sql")],
    "pmesh_monitoring": [("monitoring", "queries.sql"), ("monitoring.alerts", "queries.sql")],
    "pmesh_relay": [("relay", "queries.sql")],
    "pmesh_rollout": [("rollout", "queries.sql")],
    "pmesh_training": [("training", "queries.sql")],
    "pmesh_worker": [("model_runtime", "queries.sql")],
}
STATEMENTS = [
    pytest.param(role, statement, id=f"{package}-{name}")
    for role, places in PROGRAMS.items()
    for package, filename in places
    for name, statement in named_sql.load(package, filename).items()
]
ANYBODYS = {
    "gateway.store-hold_record",
    "gateway.store-limit_search",
    "gateway.store-hold_snapshot",
    "monitoring-begin",
    "monitoring.alerts-newest_hour",
    "relay-limit_figures",
    "relay-today",
    "rollout-notify",
}
"""These touch nothing of ours."""
REFUSED = (errors.InsufficientPrivilege, errors.UndefinedTable, errors.UndefinedFunction)
"""A role that may not use a schema does not find what lies there."""
TEXTS = "SELECT text FROM requests"


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[Database]:
    """A database for all, since nothing stays."""
    database = postgres.create_database()
    yield database
    postgres.drop_database(database)


@pytest.fixture
def connection(shared: Database) -> "Iterator[psycopg.Connection[Any]]":
    """In a transaction that is rolled back."""
    with closing(psycopg.connect(shared.conninfo)) as connection:
        yield connection


def check(connection: "psycopg.Connection[Any]", role: str, statement: str) -> None:
    """Have the rights of a statement checked, without running it."""
    connection.execute(f"SET LOCAL ROLE {role}".encode())
    numbers: dict[str, str] = {}
    numbered = re.sub(
        r"%\((\w+)\)s", lambda name: numbers.setdefault(name[1], f"${len(numbers) + 1}"), statement
    )
    code = re.sub(r"^--.*\n", "", numbered, flags=re.MULTILINE)
    explain = "" if code.startswith("SET ") else "EXPLAIN (GENERIC_PLAN) "
    result = connection.pgconn.exec_((explain + code).encode())
    if result.status not in (psycopg.pq.ExecStatus.TUPLES_OK, psycopg.pq.ExecStatus.COMMAND_OK):
        raise errors.error_from_result(result)


@pytest.mark.parametrize(("role", "statement"), STATEMENTS)
def test_each_program_may_run_what_it_runs(
    connection: "psycopg.Connection[Any]", role: str, statement: str
) -> None:
    check(connection, role, statement)


@pytest.mark.parametrize(("role", "statement"), STATEMENTS)
def test_a_worker_may_run_only_its_own(
    connection: "psycopg.Connection[Any]",
    role: str,
    statement: str,
    request: pytest.FixtureRequest,
) -> None:
    if role == "pmesh_worker" or request.node.callspec.id in ANYBODYS:
        check(connection, "pmesh_worker", statement)
    else:
        with pytest.raises(REFUSED):
            check(connection, "pmesh_worker", statement)


@pytest.mark.parametrize(
    "role",
    [
        *("pmesh_annotation", "pmesh_monitoring", "pmesh_relay", "pmesh_rollout"),
        *("pmesh_training", "pmesh_worker"),
    ],
)
def test_only_the_gateway_reads_texts(connection: "psycopg.Connection[Any]", role: str) -> None:
    check(connection, "pmesh_gateway", TEXTS)
    connection.rollback()
    with pytest.raises(REFUSED):
        check(connection, role, TEXTS)


@pytest.mark.parametrize("role", ["pmesh_gateway", "pmesh_rollout", "pmesh_worker"])
def test_only_the_relay_reads_the_tokens_of_claims(
    connection: "psycopg.Connection[Any]", role: str
) -> None:
    check(connection, "pmesh_relay", "SELECT claim_token FROM requests")
    connection.rollback()
    with pytest.raises(REFUSED):
        check(connection, role, "SELECT claim_token FROM requests")


@pytest.mark.parametrize("role", PROGRAMS)
@pytest.mark.parametrize("table", ["models", "traffic", "worker_logins", "migrations"])
def test_no_program_writes_what_the_owner_writes(
    connection: "psycopg.Connection[Any]", role: str, table: str
) -> None:
    with pytest.raises(REFUSED):
        check(connection, role, f"DELETE FROM {table}")  # noqa: S608


def test_nobody_is_given_anything_for_being_there(shared: Database) -> None:
    with shared.connect() as connection:
        connection.execute("CREATE ROLE passer_by NOLOGIN")
        connection.execute("SET ROLE passer_by")
        for statement in ("SELECT FROM public.models", "SELECT public.uuid_at(now())"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        connection.execute("RESET ROLE")
        connection.execute("DROP ROLE passer_by")


def test_no_function_takes_what_everybody_was_refused(database: Database) -> None:
    """The owner whose rights they have is no superuser in production: see server.sql."""
    with database.connect() as connection:
        bodies = connection.execute(
            "SELECT oid::regprocedure::text AS name FROM pg_proc"
            " WHERE pronamespace::regnamespace::text !~ '^(pg_|information_schema)'"
            " AND coalesce(pg_get_function_sqlbody(oid), prosrc) ~ 'pg_(try_)?advisory_|lo_creat'"
        ).fetchall()
    assert bodies == []
