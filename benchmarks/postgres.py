"""The stack's PostgreSQL without the rest of the stack."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg

from database.migrate import migrate
from pmesh.provisioning import register
from pmesh.stack.environment import base_environment
from pmesh.stack.home import Home
from pmesh.stack.model_list import read_model_list
from pmesh.stack.ports import assign_ports
from pmesh.stack.postgres import OWNER, Postgres
from pmesh.stack.supervisor import Supervisor


@asynccontextmanager
async def running_postgres() -> AsyncIterator[tuple[Postgres, int]]:
    """A server with schema, models and logins, in a folder that goes with it, and its pid."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        home = Home(Path(directory))
        await asyncio.to_thread(home.create)
        models = read_model_list()
        postgres = Postgres(
            home.path / "postgres",
            port=assign_ports(home.ports, ["postgres"])["postgres"],
            password=lambda role: home.secret(f"postgres-{role}"),
            models=[model.id for model in models],
        )

        def fill() -> None:
            migrate(postgres.conninfo(OWNER))
            with psycopg.connect(postgres.conninfo(OWNER)) as connection:
                register(connection, models, address="unused:1")

        part = postgres.part(environment=base_environment(), fill=fill)
        supervisor = Supervisor(
            [part], log=home.log, environment=home.environment, changed=lambda _: None
        )
        await supervisor.start()
        try:
            pid = supervisor.statuses[0].pid
            assert pid is not None
            yield postgres, pid
        finally:
            await supervisor.stop()
