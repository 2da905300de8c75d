"""PostgreSQL as the stack runs it."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from gateway.store.migrate import migrate
from pmesh.stack.environment import base_environment
from pmesh.stack.home import Home
from pmesh.stack.ports import assign_ports
from pmesh.stack.postgres import OWNER, ROLES, RUNTIME, Postgres
from pmesh.stack.supervisor import Supervisor
from tests.integration.stack.waiting import is_ready_again, wait_for


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    return home


@pytest.fixture
def port(home: Home) -> int:
    return assign_ports(home.ports, ["postgres"])["postgres"]


@pytest.fixture
def postgres(home: Home, port: int) -> Postgres:
    passwords = {role: home.secret(role) for role in ROLES}
    return Postgres(home.path / "postgres", port=port, passwords=passwords)


@asynccontextmanager
async def running(postgres: Postgres, home: Home) -> AsyncIterator[Supervisor]:
    def provision() -> None:
        migrate(postgres.conninfo(OWNER))

    part = postgres.part(environment=base_environment(), after=provision)
    supervisor = Supervisor(
        [part], log=home.log, environment=home.environment, changed=lambda _: None
    )
    await supervisor.start()
    try:
        yield supervisor
    finally:
        await supervisor.stop()


def note(postgres: Postgres, word: str) -> None:
    with psycopg.connect(postgres.conninfo(OWNER)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (word text)")
        connection.execute("INSERT INTO notes VALUES (%s)", (word,))


def noted(postgres: Postgres) -> list[str]:
    with psycopg.connect(postgres.conninfo(OWNER)) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM notes")]


async def test_what_was_committed_survives_a_restart_of_the_stack(
    postgres: Postgres, home: Home
) -> None:
    async with running(postgres, home):
        note(postgres, "kept")
    async with running(postgres, home):
        assert noted(postgres) == ["kept"]


async def test_what_was_committed_survives_a_kill(postgres: Postgres, home: Home) -> None:
    async with running(postgres, home) as supervisor:
        note(postgres, "kept")
        killed = supervisor.statuses[0].pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await wait_for(supervisor, "postgres", is_ready_again, timeout_s=30)
        assert noted(postgres) == ["kept"]


async def test_a_stop_is_orderly(postgres: Postgres, home: Home) -> None:
    async with running(postgres, home):
        note(postgres, "kept")
    assert "database system is shut down" in home.log("postgres").read_text()


async def test_nobody_connects_without_the_password(
    postgres: Postgres, home: Home, port: int
) -> None:
    stranger = Postgres(home.path, port=port, passwords=dict.fromkeys(ROLES, "guess"))
    async with running(postgres, home):
        for role in ROLES:
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(stranger.conninfo(role))


async def test_a_runtime_may_claim_requests_and_read_nothing(
    postgres: Postgres, home: Home
) -> None:
    async with running(postgres, home):
        with psycopg.connect(postgres.conninfo(RUNTIME), autocommit=True) as connection:
            claim = "SELECT * FROM claim_requests('sentiment', '{}', interval '1 s', 5)"
            assert connection.execute(claim).fetchall() == []
            for table in ("requests", "predictions", "outbox", "traffic"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"SELECT FROM {table}")
