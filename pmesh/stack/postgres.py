"""PostgreSQL: the source of truth of the stack, on loopback TCP with passwords."""

import os
import pwd
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from signal import SIGINT

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pmesh.stack.binaries import postgres_binary
from pmesh.stack.part import Part

DATABASE = "predict"
OWNER, RUNTIME, SUPERUSER = ROLES = ("predict", "runtime", "postgres")
"""The gateway and the relay own the database, runtimes may only claim requests."""

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

    def __init__(self, directory: Path, *, port: int, passwords: Mapping[str, str]) -> None:
        """passwords: one for each of ROLES."""
        self._data = directory
        self._port = port
        self._passwords = passwords

    def part(self, *, environment: Mapping[str, str], after: Callable[[], None]) -> Part:
        """Its recipe. `after` is called once the database and its roles are there."""
        settings = _SETTINGS | {"port": str(self._port)}
        options = [f"--{name}={value}" for name, value in settings.items()]

        def provision() -> None:
            self._create_roles()
            after()

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
            "PGPASSWORD": self._passwords[role],
        }

    def conninfo(self, role: str, database: str = DATABASE) -> str:
        """The same as a connection string."""
        return make_conninfo(
            host="127.0.0.1",
            port=self._port,
            dbname=database,
            user=role,
            password=self._passwords[role],
            connect_timeout=2,
        )

    def _initialise(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        password_file = self._data.with_name("initdb-password")
        password_file.touch(mode=0o600)
        password_file.write_text(self._passwords[SUPERUSER])
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

    def _create_roles(self) -> None:
        """Make the roles and the database that are not there yet."""
        with psycopg.connect(self.conninfo(SUPERUSER, "postgres"), autocommit=True) as connection:
            roles = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
            for role in {OWNER, RUNTIME} - roles:
                create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                password = sql.Literal(self._passwords[role])
                connection.execute(create.format(sql.Identifier(role), password))
            if "pmesh_runtime" not in roles:
                connection.execute("CREATE ROLE pmesh_runtime NOLOGIN")
            connection.execute("GRANT pmesh_runtime TO runtime")
            if (DATABASE,) not in connection.execute("SELECT datname FROM pg_database").fetchall():
                connection.execute("CREATE DATABASE predict OWNER predict")


def _run_as(program: str, *arguments: str) -> tuple[str, ...]:
    command = (str(postgres_binary(program)), *arguments)
    return AS_NOBODY + command if needs_namespace() else command


def needs_namespace() -> bool:
    """Whether PostgreSQL would refuse to run as the user of this process."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_uid == 0
    except KeyError:
        return True
