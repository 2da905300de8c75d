"""Predictions of the model "genre", and what people said of them."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from database.connections import connect
from database.logins import TRAINING
from tests.parts.catalog import environment, register
from tests.parts.observed import Observed, Said, observe, say
from tests.parts.postgres import Database
from training.store import TrainingStore

MODEL = "genre"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
OPENINGS = {
    "movie_review": "the film has a plot of",
    "product_review": "the package came with",
    "tweet": "omg @you look at this",
}
WORDS = [f"{one}{two}" for one in ("sun", "moon", "star", "rain", "snow") for two in "abcdefghijkl"]


@dataclass
class Labelling:
    """The record of a test."""

    database: Database
    variables: Mapping[str, str]
    """By which training connects, as itself."""

    @classmethod
    def of(cls, database: Database) -> "Labelling":
        register(database, {MODEL: ["1"]})
        return cls(database, environment(database, TRAINING))

    def predicted(self, *texts: str, time: datetime = NOW, seed: int | str = 0) -> list[str]:
        """The ids of answers."""
        rows = [Observed(time=time, text=text, label="tweet", model=MODEL) for text in texts]
        with self.database.connect() as connection:
            return observe(connection, rows, seed=seed)

    def say(self, prediction: str, label: str | None, annotator: str = "anna", **when: Any) -> None:
        with self.database.connect() as connection:
            say(connection, [Said(prediction, label, annotator, model=MODEL, **when)])

    def fill(self, count: int, *, seed: int = 0) -> dict[str, tuple[str, str]]:
        """Label so many predictions of texts that are not alike: id -> text and label."""
        chance = random.Random(seed)  # noqa: S311
        labels = [list(OPENINGS)[n % len(OPENINGS)] for n in range(count)]
        texts = [f"{OPENINGS[label]} {' '.join(chance.sample(WORDS, 12))}" for label in labels]
        ids = self.predicted(*texts, seed=f"fill {seed}")
        with self.database.connect() as connection:
            said = zip(ids, labels, strict=True)
            say(connection, [Said(one, label, "anna", model=MODEL) for one, label in said])
        return dict(zip(ids, zip(texts, labels, strict=True), strict=True))

    def erase(self, prediction: str) -> None:
        self.execute("SELECT gateway_v1.erase(%s)", prediction)

    def execute(self, sql: str, *given: object) -> list[dict[str, Any]]:
        with self.database.connect() as connection:
            done = connection.execute(sql.encode(), given)
            return done.fetchall() if done.description else []

    @contextmanager
    def store(self) -> Iterator[TrainingStore]:
        variables = self.variables
        conninfo = psycopg.conninfo.make_conninfo(
            host=variables["PGHOST"],
            port=variables["PGPORT"],
            dbname=variables["PGDATABASE"],
            user=variables["PGUSER"],
            password=variables["PGPASSWORD"],
        )
        with connect(conninfo) as connection:
            yield TrainingStore(connection)
