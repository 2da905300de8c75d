"""The programs that the stack is compared with, started beside it."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psycopg

from benchmarks.fastapi_app import CREATE_TABLE
from pmesh.stack.environment import base_environment
from pmesh.stack.postgres import OWNER, SUPERUSER, Postgres

_DATABASE = "benchmark"
_START_S = 60


def create_database(postgres: Postgres) -> dict[str, str]:
    """A database for the answers that FastAPI records, on the same server; its PG* variables."""
    superuser = postgres.conninfo(SUPERUSER, "postgres")
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_DATABASE} OWNER {OWNER}")
    with psycopg.connect(postgres.conninfo(OWNER, _DATABASE)) as connection:
        connection.execute(CREATE_TABLE)
    return {**postgres.environment(OWNER), "PGDATABASE": _DATABASE}


@contextmanager
def fastapi(
    factory: str, *, workers: int, port: int, model: Path, environment: dict[str, str]
) -> Iterator[int]:
    """Serve benchmarks.fastapi_app's `plain` or `recording`; gives its process id."""
    command = (
        *("-m", "uvicorn", "--factory"),
        *(f"benchmarks.fastapi_app:{factory}", "--port", str(port), "--workers", str(workers)),
        *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"),
    )
    environment = {**environment, "BENCH_MODEL": str(model)}
    with _serving(command, environment, f"http://127.0.0.1:{port}/openapi.json") as pid:
        yield pid


@contextmanager
def bare(*, port: int, triton: str, version: str, environment: dict[str, str]) -> Iterator[int]:
    """Serve benchmarks.bare; gives its process id. environment: the PG* of the stack."""
    command = ("-m", "benchmarks.bare", str(port))
    environment = {**environment, "BENCH_TRITON": triton, "BENCH_VERSION": version}
    with _serving(command, environment, f"http://127.0.0.1:{port}/healthz") as pid:
        yield pid


@contextmanager
def _serving(command: Sequence[str], environment: dict[str, str], url: str) -> Iterator[int]:
    process = subprocess.Popen(
        ("setpriv", "--pdeathsig", "TERM", sys.executable, *command),
        env=base_environment() | environment,
    )
    try:
        _wait_until_it_answers(process, url)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", url: str) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        with suppress(httpx.TransportError):
            httpx.get(url)
            return
        time.sleep(0.2)
    raise RuntimeError(f"nothing answers at {url}")
