"""PostgreSQL: the source of truth of the stack, on loopback TCP with passwords."""

import os
import pwd
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGINT

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from database.logins import create_groups, program_logins
from pmesh.provisioning import admit
from pmesh.stack.binaries import postgres_binary
from pmesh.stack.part import Part

DATABASE = "predict"
OWNER, SUPERUSER = "predict", "postgres"
"""The owner is for migrations and registration only: each program has a login of its own."""

SPARE_CONNECTIONS = 20
"""For the owner and the superuser, when the programs have all that they may have."""

# PostgreSQL refuses to run as root, and as a user without a name, as containers have them: a
# namespace of its own then shows it the user "nobody".
AS_NOBODY = ("unshare", "--user", "--map-user=65534", "--")

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_wal_size": "4GB",  # bursts of inserts must not force checkpoints
    "checkpoint_timeout": "15min",
    "wal_level": "minimal",  # nobody replicates it
    "max_wal_senders": "0",
    "io_method": "sync",  # the data fits into memory: no need of reader processes
    "jit": "off",  # slower than the short queries it would speed up
    "fsync": "on",  # an answer means that the row is durable
    "synchronous_commit": "on",
}


class Postgres:
    """One PostgreSQL server on a directory."""

    def __init__(
        self,
        directory: Path,
        *,
        port: int,
        password: Callable[[str], str],
        models: Sequence[str],
        processes: int = 1,
    ) -> None:
        """password: of a role, by its name. models: those whose workers get a login.

        processes: of a program, side by side.
        """
        self._data = directory
        self._port = port
        self._password = password
        self._models = models
        self._processes = processes

    def part(self, *, environment: Mapping[str, str], fill: Callable[[], None]) -> Part:
        """Its recipe. `fill` makes schema and models once the database is there."""
        logins = program_logins(self._models, processes=self._processes)
        connections = sum(login.connections for login in logins) + SPARE_CONNECTIONS
        settings = _SETTINGS | {"port": str(self._port), "max_connections": str(connections)}
        options = [f"--{name}={value}" for name, value in settings.items()]

        def provision() -> None:
            self._create_database()
            fill()
            self._admit_programs()

        return Part(
            name="postgres",
            command=_run_as("postgres", "-D", str(self._data), *options),
            environment=environment,
            before=self._initialise,
            is_ready=self._is_ready,
            after=provision,
            stop_signal=SIGINT,  # ends the sessions of clients instead of waiting for them
            stop_timeout_s=30,
        )

    def environment(self, role: str) -> dict[str, str]:
        """The standard variables by which a program connects as this role."""
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self._port),
            "PGDATABASE": DATABASE,
            "PGUSER": role,
            "PGPASSWORD": self._password(role),
        }

    def conninfo(self, role: str, database: str = DATABASE) -> str:
        """The same as a connection string."""
        return make_conninfo(
            host="127.0.0.1",
            port=self._port,
            dbname=database,
            user=role,
            password=self._password(role),
            connect_timeout=2,
        )

    def is_connected(self, application: str) -> bool:
        """Whether a program is connected that calls itself so, by PGAPPNAME."""
        query = "SELECT FROM pg_stat_activity WHERE application_name = %s"
        with (
            suppress(psycopg.OperationalError),
            psycopg.connect(self.conninfo(SUPERUSER, "postgres")) as connection,
        ):
            return connection.execute(query, (application,)).fetchone() is not None
        return False

    def _initialise(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        password_file = self._data.with_name("initdb-password")
        password_file.touch(mode=0o600)
        password_file.write_text(self._password(SUPERUSER))
        try:
            self._run_initdb(password_file)
        finally:
            password_file.unlink()

    def _run_initdb(self, password_file: Path) -> None:
        command = _run_as(
            *("initdb", "-D", str(self._data), "--username", SUPERUSER, "--no-instructions"),
            *("--auth=scram-sha-256", f"--pwfile={password_file}"),
            *("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:  # initdb has then removed what it had made
            raise RuntimeError(f"initdb failed: {done.stderr.strip()}")

    def _is_ready(self) -> bool:
        try:
            psycopg.connect(self.conninfo(SUPERUSER, "postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _create_database(self) -> None:
        """Make the owner, the groups and the database that are not there yet."""
        with psycopg.connect(self.conninfo(SUPERUSER, "postgres"), autocommit=True) as connection:
            for name in ("postgres", "template1"):  # no program has anything to do there
                revoke = sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC")
                connection.execute(revoke.format(sql.Identifier(name)))
            connection.execute("DROP ROLE IF EXISTS runtime")  # the workers' of a version before
            create_groups(connection)
            if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (OWNER,)).rowcount:
                create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                password = self._password(OWNER)
                connection.execute(create.format(sql.Identifier(OWNER), password))
            query = "SELECT FROM pg_database WHERE datname = %s"
            if not connection.execute(query, (DATABASE,)).rowcount:
                connection.execute("CREATE DATABASE predict OWNER predict")

    def _admit_programs(self) -> None:
        """Let them in, once the models are there that the workers' logins name."""
        with psycopg.connect(self.conninfo(SUPERUSER), autocommit=True) as connection:
            admit(connection, self._models, password=self._password, processes=self._processes)


def _run_as(program: str, *arguments: str) -> tuple[str, ...]:
    command = (str(postgres_binary(program)), *arguments)
    return AS_NOBODY + command if needs_namespace() else command


def needs_namespace() -> bool:
    """Whether PostgreSQL would refuse to run as the user of this process."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_uid == 0
    except KeyError:
        return True
