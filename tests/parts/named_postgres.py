"""A PostgreSQL that is reached as one of others is: by TCP, with passwords.

PMESH_TEST_POSTGRES names it, as a connection string of a superuser; where it is not set, a server
of the embedded programs stands in.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import AS_ANOTHER_USER, BINARIES

VARIABLE = "PMESH_TEST_POSTGRES"
PASSWORD = "of-the-superuser"  # noqa: S105


@contextmanager
def named_postgres() -> Iterator[str]:
    """The connection string of its superuser."""
    if named := os.environ.get(VARIABLE):
        yield named
    else:
        with _own_server() as conninfo:
            yield conninfo


def variables(conninfo: str) -> dict[str, str]:
    """The standard ones, which say the same."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    names |= {"dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}
    return {names[key]: str(value) for key, value in conninfo_to_dict(conninfo).items()}


@contextmanager
def _own_server() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pg-named-") as folder:
        data, password = Path(folder, "data"), Path(folder, "password")
        password.write_text(PASSWORD)
        options = ["-U", "postgres", "-A", "scram-sha-256", "-N", f"--pwfile={password}"]
        initdb = [*AS_ANOTHER_USER, str(BINARIES / "initdb"), "-D", str(data), *options]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL)
        port = free_port()
        flags = ["listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories="]
        flags += ["max_connections=500"]
        command = [str(BINARIES / "postgres"), "-D", str(data)]
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(*AS_ANOTHER_USER, "setpriv", "--pdeathsig", "QUIT", "--", *command),
                    *(word for flag in flags for word in ("-c", flag)),
                ],
                stdout=log,
                stderr=log,
            )
        conninfo = make_conninfo(
            host="127.0.0.1", port=port, user="postgres", password=PASSWORD, dbname="postgres"
        )
        try:
            wait_until(lambda: _answers(conninfo))
            yield conninfo
        finally:
            process.terminate()
            process.wait(100)


def _answers(conninfo: str) -> bool:
    try:
        psycopg.connect(conninfo).close()
    except psycopg.OperationalError:
        return False
    return True
