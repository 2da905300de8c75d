"""What training reads and writes in PostgreSQL: labelled predictions, and what it is asked for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from database import named_sql
from modelkit.labelled import Labelled

_SQL = named_sql.load("training")

TEXTS_AT_ONCE = 1_000


class Retraining(NamedTuple):
    """A training that was asked for."""

    id: UUID
    model: str
    actor: str
    """Who asked; of an alert, who fired it."""
    state: str
    """REQUESTED, RUNNING, SUCCEEDED or FAILED."""
    version: str
    """That it has registered; or empty."""
    error: str
    """Why it failed; or empty."""
    create_time: datetime


class TakenTraining(NamedTuple):
    """One that was taken."""

    id: UUID
    model: str


class TrainingStore:
    """Works on one connection of database.connections.connect; all methods raise psycopg.Error."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def labelled(self, model: str, since: datetime | None) -> list[Labelled]:
        """The labelled predictions of a model that were asked for since then, the oldest first."""
        return [
            Labelled(prediction, label, source, tuple(annotators), choice, weight, time)
            for prediction, label, source, annotators, choice, weight, time in self._fetch(
                "labelled", model=model, since=since
            )
        ]

    def texts(self, predictions: Sequence[UUID]) -> dict[UUID, str]:
        """Those that are still there."""
        found: dict[UUID, str] = {}
        for start in range(0, len(predictions), TEXTS_AT_ONCE):
            ids = list(predictions[start : start + TEXTS_AT_ONCE])
            found |= dict(self._fetch("texts", ids=ids))
        return found

    def request(self, model: str, actor: str) -> Retraining | None:
        """Ask for a training, or find the one that is asked for already; None: no such model."""
        rows = self._fetch("request", model=model, actor=actor)
        return Retraining(*rows[0]) if rows else None

    def newest(self, limit: int) -> list[Retraining]:
        """What was asked for last, the newest first."""
        return [Retraining(*row) for row in self._fetch("list", limit=limit)]

    def waiting(self, model: str = "") -> dict[str, int]:
        """How many nobody has begun, by model. model: of which; "" for all."""
        return dict(self._fetch("waiting", model=model))

    def take(self, model: str = "") -> TakenTraining | None:
        """The oldest that is asked for and that no other session is at; None: there is none.

        model: of which; "" for any. It is this session's until `finish`, or until the session ends.
        """
        rows = self._fetch("take", model=model)
        return TakenTraining(*rows[0]) if rows else None

    def finish(self, task: TakenTraining, *, version: str = "", error: str = "") -> None:
        """End it: with the version that it has registered, or with why there is none."""
        self._fetch("finish", id=task.id, version=version, error=error)

    def _fetch(self, query: str, **given: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(_SQL[query], given).fetchall()
