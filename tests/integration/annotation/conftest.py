"""A database with two models, and the annotation program's own login on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from annotation.selection import Chosen
from annotation.store import AnnotationStore, Said
from database.connections import UNPREPARED
from database.logins import ANNOTATION
from tests.parts.catalog import PASSWORD, environment, register
from tests.parts.observed import MODEL, Observed, observe
from tests.parts.postgres import Database

PROJECT = 3


@dataclass
class Record:
    """Predictions, and the program's store on them."""

    database: Database
    store: AnnotationStore

    def execute(self, sql: str, *given: Any) -> list[dict[str, Any]]:
        """As the owner."""
        with self.database.connect() as connection:
            cursor = connection.execute(sql.encode(), given)
            return cursor.fetchall() if cursor.description else []

    def observe(self, *rows: Observed, seed: int | str = 0) -> list[str]:
        with self.database.connect() as connection:
            return observe(connection, rows, seed=seed)

    def sent(self, *prediction_ids: str, choice: Any = "control", weight: float = 4) -> None:
        """As if they were in Label Studio, with tasks from 1 on."""
        chosen = [Chosen(one, choice, weight) for one in prediction_ids]
        self.store.choose(MODEL, PROJECT, chosen, considered=max(prediction_ids))
        self.store.begin_sending(PROJECT, age_s=60, most=100)
        self.store.confirm(PROJECT, {one: n for n, one in enumerate(prediction_ids, start=1)})

    def labels(self) -> list[tuple[Any, ...]]:
        """All, in their order, as (label, annotator, adjudicated)."""
        rows = self.execute("SELECT label, annotator, adjudicated FROM labels ORDER BY label_time")
        return [tuple(row.values()) for row in rows]

    def states(self) -> dict[str, str]:
        rows = self.execute("SELECT prediction_id::text, state FROM annotation_tasks")
        return {row["prediction_id"]: row["state"] for row in rows}


def says(label: str, annotator: str = "ann", *, minute: int = 0, adjudicated: bool = False) -> Said:
    time = f"2026-01-01T00:{minute:02}:00Z"
    return Said(label, annotator, adjudicated, time, f"{annotator}@{time}")


@pytest.fixture
def record(database: Database) -> Iterator[Record]:
    register(database, {MODEL: ["1"], "genre": ["1"]})
    environment(database, ANNOTATION)
    with psycopg.connect(
        database.conninfo, user=ANNOTATION.name, password=PASSWORD, autocommit=True, **UNPREPARED
    ) as connection:
        yield Record(database, AnnotationStore(connection))


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)
