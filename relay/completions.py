"""The ends of requests: making them FAILED, and telling of terminal states."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row

from contract.errors import PredictError
from contract.status import to_json
from database import named_sql
from relay.metrics import ATTEMPTS, FINISHED, SECONDS
from telemetry.spans import exemplar_of
from telemetry.trace_context import parse

_SQL = named_sql.load("relay")


@dataclass(frozen=True)
class Ending:
    """A request that was to reach its terminal state."""

    id: str
    model: str
    version: str
    state: str | None
    """The terminal one; None if it was left as it was, since others hold it just now."""
    attempt: int | None
    """How often it was claimed; None without a state."""
    age_s: float | None
    """From when it was accepted to its end; None without a state."""
    traceparent: str | None
    """Of what ended it, or else of what accepted it."""
    claim_token: str | None = None
    """That its answer showed."""


async def finish(
    connection: AsyncConnection[Any], query: str, parameters: Mapping[str, Any]
) -> list[Ending]:
    """Run a query that finishes requests and tell of them, in the caller's transaction.

    query: the name of one that returns columns of Ending. What it answers is for `count`.
    """
    async with connection.cursor(row_factory=class_row(Ending)) as cursor:
        await cursor.execute(_SQL[query], parameters)
        endings = await cursor.fetchall()
    if finished := [ending for ending in endings if ending.state]:
        await _announce(connection, finished)
    return endings


async def fail(
    connection: AsyncConnection[Any], errors: Mapping[str, PredictError]
) -> list[Ending]:
    """Make unfinished requests FAILED, by id, as `finish`."""
    if not errors:
        return []
    parameters = {"ids": list(errors), "errors": [to_json(error) for error in errors.values()]}
    return await finish(connection, "fail", parameters)


def count(endings: Iterable[Ending]) -> None:
    """Once they are committed: what is rolled back is done again."""
    for ending in endings:
        if ending.state:
            trace = parse(ending.traceparent)
            FINISHED.labels(ending.model, ending.state).inc()
            SECONDS.labels(ending.model).observe(max(ending.age_s or 0.0, 0.0), exemplar_of(trace))
            ATTEMPTS.labels(ending.model).observe(ending.attempt or 0)


async def _announce(connection: AsyncConnection[Any], finished: Sequence[Ending]) -> None:
    columns = ("id", "model", "version", "state", "traceparent")
    parameters = {name: [getattr(row, name) for row in finished] for name in columns}
    await connection.execute(_SQL["announce"], parameters)
