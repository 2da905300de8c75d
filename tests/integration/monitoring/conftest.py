"""A database with two models, and the monitoring job on it, connected as its own login."""

import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Json

from contract.alert_rules import read_rules
from database.logins import MONITORING
from monitoring.defaults import Defaults
from monitoring.hours import Window
from monitoring.job import Made, run
from monitoring.store import QualityStore, connect
from tests.parts.catalog import environment, register
from tests.parts.observed import MODEL, Observed, Said, observe, say
from tests.parts.postgres import Database

HOUR = timedelta(hours=1)
NO_REGISTRY = Defaults("")

Figures = Mapping[tuple[str, str, str, str], dict[str, Any]]
"""(hour, version, slice, metric) -> the row; the hour as "-2": two before this one."""


@dataclass
class Monitoring:
    """The record of a test, and what the job makes of it."""

    database: Database
    variables: dict[str, str]
    now: datetime
    """The hour that was under way when the test began."""

    def observe(self, rows: Iterable[Observed], *, seed: int | str = 0) -> list[str]:
        with self.database.connect() as connection:
            return observe(connection, list(rows), seed=seed)

    def say(self, *said: Said) -> None:
        with self.database.connect() as connection:
            say(connection, said)

    def rules(self, *said: Mapping[str, Any], labels: Sequence[str] = ()) -> None:
        """Register the model's rules, as its alerts.yaml would say them."""
        rules = [rule.as_said() for rule in read_rules(said, labels)]
        with self.database.connect() as connection:
            connection.execute(
                "UPDATE models SET alert_rules = %s WHERE id = %s", (Json(rules), MODEL)
            )

    def alerts(self) -> list[dict[str, Any]]:
        """All that ever fired, the oldest first; the hour as "-2"."""
        with self.database.connect() as connection:
            rows = connection.execute("SELECT * FROM alerts ORDER BY id").fetchall()
        return [row | {"id": str(row["id"]), "hour": self.name(row["hour"])} for row in rows]

    def life(self) -> list[tuple[str, str]]:
        """What became of them, in its order, and by whom."""
        with self.database.connect() as connection:
            rows = connection.execute("SELECT change, actor FROM alert_events ORDER BY id")
            return [(row["change"], row["actor"]) for row in rows.fetchall()]

    def run(self) -> list[Made]:
        """What the command `run` does, in this process."""
        with self.store() as store:
            return run(store, NO_REGISTRY)

    def store(self) -> "Store":
        return Store(self.conninfo)

    @property
    def conninfo(self) -> str:
        names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname"}
        names["PGPASSWORD"] = "password"
        return make_conninfo(**{names[k]: v for k, v in self.variables.items() if k in names})

    def figures(self, where: str = "true") -> Figures:
        with self.database.connect() as connection:
            columns = "hour, version, slice, metric, value, low, high, rows, reference"
            query = f"SELECT {columns} FROM quality_metrics WHERE {where}"  # noqa: S608
            rows = connection.execute(query.encode()).fetchall()
        return {
            (self.name(row.pop("hour")), row.pop("version"), row.pop("slice"), row.pop("metric")): (
                row
            )
            for row in rows
        }

    def name(self, hour: datetime) -> str:
        return str(round((hour - self.now) / HOUR))

    def from_scratch(self) -> Figures:
        """What a job makes that has never run before; what was made is then that."""
        self.forget()
        self.run()
        return self.figures()

    def forget(self) -> None:
        """As if no job had run, but for what somebody chose."""
        self.execute(
            "TRUNCATE quality_metrics, monitoring_hours, monitoring_stale, monitoring_features;"
            " DELETE FROM monitoring_references WHERE version <> '';"
            " UPDATE monitoring_progress SET through = NULL"
        )

    def execute(self, sql: str) -> None:
        with self.database.connect() as connection:
            connection.execute(sql.encode())

    def window(self, start: int, end: int) -> Window:
        """In hours from now."""
        return Window(self.now + start * HOUR, self.now + end * HOUR)

    def process(self, patch: str = "", *arguments: str) -> "subprocess.Popen[str]":
        """`python -m monitoring run` as a process. patch: Python that runs before it."""
        code = f"{patch}\nimport sys\nsys.argv[1:] = {list(arguments or ('run',))!r}\n"
        code += "from monitoring.__main__ import main\nmain()\n"
        return subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            env={**self.variables, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def killed(of: type, step: str, when: str, nth: int) -> str:
    """A patch for a process that is killed "before" or "after" the nth call of a method."""
    return f"""
import os, signal
from {of.__module__} import {of.__name__}
real, calls = {of.__name__}.{step}, []
def {step}(self, *arguments):
    calls.append(1)
    if len(calls) == {nth} and {when == "before"}: os.kill(os.getpid(), signal.SIGKILL)
    done = real(self, *arguments)
    if len(calls) == {nth}: os.kill(os.getpid(), signal.SIGKILL)
    return done
{of.__name__}.{step} = {step}
"""


class Store:
    """A connection of the job's login, for a block."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo

    def __enter__(self) -> QualityStore:
        self._connection = connect(self._conninfo)
        return QualityStore(self._connection)

    def __exit__(self, *_: object) -> None:
        self._connection.close()


@pytest.fixture
def monitoring(database: Database) -> Monitoring:
    register(database, {MODEL: ["1", "2"], "genre": ["1"]})
    variables = environment(database, MONITORING)
    with psycopg.connect(database.conninfo) as connection:
        ((hour,),) = connection.execute("SELECT date_trunc('hour', now(), 'UTC')").fetchall()
    return Monitoring(database, variables, hour.astimezone(UTC))
