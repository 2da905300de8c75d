"""PostgreSQL as the stack runs it."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from database.logins import GATEWAY, RELAY, ROLLOUT, worker_login
from database.migrate import migrate
from database.registration import Registration, register_models
from pmesh.stack.environment import base_environment
from pmesh.stack.home import Home
from pmesh.stack.ports import assign_ports
from pmesh.stack.postgres import OWNER, SPARE_CONNECTIONS, SUPERUSER, Postgres
from pmesh.stack.supervisor import Supervisor
from tests.integration.pmesh.stack.waiting import is_ready_again, wait_for

MODEL = "sentiment"
WORKER = worker_login(MODEL).name
PROGRAMS = (GATEWAY.name, RELAY.name, ROLLOUT.name, WORKER)


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
    return Postgres(home.path / "postgres", port=port, password=home.secret, models=[MODEL])


@asynccontextmanager
async def running(postgres: Postgres, home: Home) -> AsyncIterator[Supervisor]:
    def fill() -> None:
        migrate(postgres.conninfo(OWNER))
        model = Registration(id=MODEL, description="", labels=["a", "b"], address="unused:1")
        with psycopg.connect(postgres.conninfo(OWNER)) as connection:
            register_models(connection, [model])

    part = postgres.part(environment=base_environment(), fill=fill)
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
        await wait_for(supervisor, "postgres", is_ready_again)
        assert noted(postgres) == ["kept"]


async def test_a_stop_is_orderly(postgres: Postgres, home: Home) -> None:
    async with running(postgres, home):
        note(postgres, "kept")
    assert "database system is shut down" in home.log("postgres").read_text()


async def test_nobody_connects_without_the_password(
    postgres: Postgres, home: Home, port: int
) -> None:
    stranger = Postgres(home.path, port=port, password=lambda _: "guess", models=[MODEL])
    async with running(postgres, home):
        for role in (OWNER, SUPERUSER, *PROGRAMS):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(stranger.conninfo(role))


async def test_each_program_connects_as_itself(postgres: Postgres, home: Home) -> None:
    async with running(postgres, home):
        for program in PROGRAMS:
            with psycopg.connect(postgres.conninfo(program)) as connection:
                assert connection.execute("SELECT session_user").fetchone() == (program,)


async def test_a_worker_may_claim_requests_and_read_nothing(postgres: Postgres, home: Home) -> None:
    async with running(postgres, home):
        with psycopg.connect(postgres.conninfo(WORKER), autocommit=True) as connection:
            claim = "SELECT * FROM worker_v1.claim('{}', interval '1 s', 5)"
            assert connection.execute(claim).fetchall() == []
            for table in ("requests", "predictions", "outbox", "traffic"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"SELECT FROM public.{table}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE TEMP TABLE mine (id integer)")
        for database in ("postgres", "template1"):
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                psycopg.connect(postgres.conninfo(WORKER, database))


async def test_programs_that_use_all_their_connections_leave_the_owner_some(
    postgres: Postgres, home: Home
) -> None:
    async with running(postgres, home):
        with ExitStack() as stack:
            for login in (GATEWAY, RELAY, ROLLOUT, worker_login(MODEL)):
                for _ in range(login.connections):
                    stack.enter_context(psycopg.connect(postgres.conninfo(login.name)))
                with pytest.raises(psycopg.OperationalError, match="too many connections"):
                    psycopg.connect(postgres.conninfo(login.name))
            # The last three are the superuser's alone.
            for role in [OWNER] * (SPARE_CONNECTIONS - 3) + [SUPERUSER]:
                stack.enter_context(psycopg.connect(postgres.conninfo(role)))


async def test_the_login_that_all_workers_had_is_gone(postgres: Postgres, home: Home) -> None:
    async with running(postgres, home):
        with psycopg.connect(postgres.conninfo(SUPERUSER), autocommit=True) as connection:
            connection.execute("CREATE ROLE runtime LOGIN IN ROLE pmesh_runtime")
    async with running(postgres, home):
        with psycopg.connect(postgres.conninfo(SUPERUSER)) as connection:
            found = connection.execute("SELECT FROM pg_roles WHERE rolname = 'runtime'")
            assert found.fetchall() == []
