"""Measures the hourly job on 72 hours of predictions: `python -m benchmarks.monitoring`.

On the stack's own PostgreSQL, from a first run that has all hours to make.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import psycopg
from rich.console import Console

from benchmarks.postgres import running_postgres
from benchmarks.tables import empty_table, show
from database import named_sql
from database.logins import MONITORING
from pmesh.stack.postgres import OWNER, Postgres
from pmesh.stack.processes import memory_bytes
from pmesh.stack.services import program

ROWS = (10_000, 100_000, 1_000_000)
WORDS = "the movie was good bad plot and actor scene fine i liked it not so much"
LOOK_S = 0.2

_SQL = named_sql.load("benchmarks.monitoring", "record.sql")


@dataclass(frozen=True)
class Measured:
    """A first run of the job."""

    rows: int
    seconds: float
    job_bytes: int
    """The most memory that the job had."""
    postgres_bytes: int
    """The same of PostgreSQL, with its shared buffers."""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.monitoring", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, metavar="NUMBER")
    measured = asyncio.run(_measure_all(parser.parse_args().rows))
    table = empty_table(
        "The hourly job, 72 hours at once", "rows", "", "s", "µs a row", "job MB", "PostgreSQL MB"
    )
    for one in measured:
        table.add_row(
            f"{one.rows:,}",
            "",
            f"{one.seconds:.1f}",
            f"{one.seconds / one.rows * 1e6:.0f}",
            f"{one.job_bytes >> 20}",
            f"{one.postgres_bytes >> 20}",
        )
    show(Console(), table)


async def _measure_all(sizes: list[int]) -> list[Measured]:
    return [await _measure(rows) for rows in sizes]


async def _measure(rows: int) -> Measured:
    async with running_postgres() as (postgres, pid):
        await asyncio.to_thread(_fill, postgres, rows)
        return await asyncio.to_thread(_run, postgres, pid, rows)


def _fill(postgres: Postgres, rows: int) -> None:
    given = {"rows": rows, "words": WORDS}
    with psycopg.connect(postgres.conninfo(OWNER)) as connection:
        for statement in ("texts", "requests", "predictions", "labels"):
            connection.execute(_SQL[statement], given)
    with psycopg.connect(postgres.conninfo(OWNER), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _run(postgres: Postgres, pid: int, rows: int) -> Measured:
    environment = {**os.environ, **postgres.environment(MONITORING.name)}
    begin = time.monotonic()
    job_bytes = postgres_bytes = 0
    with subprocess.Popen(
        program("monitoring", "run"), env=environment, stderr=subprocess.PIPE, text=True
    ) as job:
        while job.poll() is None:
            found = memory_bytes((job.pid, pid))
            job_bytes = max(job_bytes, found[job.pid])
            postgres_bytes = max(postgres_bytes, found[pid])
            time.sleep(LOOK_S)
        seconds = time.monotonic() - begin
        assert job.stderr is not None
        said = job.stderr.read()
    if job.returncode:
        sys.exit(said)
    return Measured(rows, seconds, job_bytes, postgres_bytes)


if __name__ == "__main__":
    main()
