"""The whole product on a PostgreSQL that is only named: by PG*, over TCP, with passwords.

Its owner may make no roles, as a database of a cloud is handed out.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from database.registration import Registration, register_models
from gateway.envoy.front import Front
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.integration.model_runtime.process import Worker
from tests.integration.relay.process import Relay
from tests.parts.bus_probe import Bus
from tests.parts.named_postgres import named_postgres, variables
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.words_server import LABELS, words_server

MODEL = "sentiment"


class Server(NamedTuple):
    """A database of the test's own."""

    owner: Mapping[str, str]
    """By which its owner connects."""
    superuser: str
    """The same for who may make roles: a connection string."""
    logins: dict[str, str]
    """Those of programs, by program."""

    def connection(self) -> "psycopg.Connection[tuple[object, ...]]":
        """Of the owner."""
        o = self.owner
        return psycopg.connect(
            make_conninfo(
                host=o["PGHOST"],
                port=o["PGPORT"],
                user=o["PGUSER"],
                password=o["PGPASSWORD"],
                dbname=o["PGDATABASE"],
            ),
            autocommit=True,
        )

    def of(self, program: str) -> dict[str, str]:
        """By which a program connects."""
        return {**self.owner, "PGUSER": self.logins[program], "PGPASSWORD": "of-a-program"}


@pytest.fixture
def server() -> Iterator[Server]:
    name = f"test_{uuid4().hex[:8]}"
    with named_postgres() as superuser, psycopg.connect(superuser, autocommit=True) as connection:
        owner, database = sql.Identifier(name), sql.Identifier(name)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'of-the-owner'").format(owner))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
        own = {"PGDATABASE": name, "PGUSER": name, "PGPASSWORD": "of-the-owner"}
        logins = {program: f"{name}-{program}" for program in ("gateway", "relay", "worker")}
        yield Server({**variables(superuser), **own}, make_conninfo(superuser, dbname=name), logins)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
        for role in (name, *logins.values()):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


def run(module: str, *arguments: str, environment: Mapping[str, str], stdin: str = "") -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, *arguments],
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def prepare(server: Server, address: str) -> None:
    """What the documentation says, command by command."""
    superuser = variables(server.superuser)
    run("database.roles", "groups", environment=superuser)
    run("database.migrate", environment=server.owner)
    with server.connection() as connection:
        model = Registration(id=MODEL, description="", labels=list(LABELS), address=address)
        register_models(connection, [model])
        connection.execute(
            "INSERT INTO versions (model, version, state, labels) VALUES (%s, '1', 'SERVING', %s)",
            (MODEL, list(LABELS)),
        )
        connection.execute("INSERT INTO traffic VALUES (%s, '1', 100)", (MODEL,))
    for program, login in server.logins.items():
        which = (program, MODEL) if program == "worker" else (program,)
        arguments = (*which, "--login", login)
        run("database.roles", *arguments, environment=superuser, stdin="of-a-program\n")


def test_predictions_are_made_now_and_later(
    server: Server, bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with words_server(model="*", says_version=False) as models, ExitStack() as stack:
        prepare(server, models.address)
        stack.enter_context(Relay({**server.of("relay"), **bus.environment}))
        stack.enter_context(Worker({**server.of("worker"), **bus.environment}))
        for name, value in server.of("gateway").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PMESH_FEATURES_SPOOL", str(tmp_path / "spool"))
        settings = Front(port=free_port(), admin_port=free_port())
        stack.enter_context(GatewayProcess(log=tmp_path / "log", settings=settings))
        url = f"http://127.0.0.1:{settings.port}/v1"
        client = stack.enter_context(httpx.Client(trust_env=False, timeout=20))
        now = client.post(f"{url}/models/{MODEL}:predict", json={"text": "good"}).json()
        assert now["output"]["label"] == "positive"
        later = client.post(f"{url}/models/{MODEL}/predictions", json={"text": "bad"}).json()

        def state() -> object:
            return client.get(f"{url}/predictions/{later['id']}").json()["state"]

        wait_until(lambda: state() == "PREDICTION_STATE_SUCCEEDED")
        assert client.get(f"{url}/predictions/{now['id']}").json() == now
