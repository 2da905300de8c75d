"""Finished requests: making requests FAILED, and telling of terminal states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row

from contract.errors import PredictError
from contract.status import to_json
from database import named_sql

_SQL = named_sql.load("relay")


@dataclass(frozen=True)
class Finished:
    """A request that has just reached its terminal state."""

    id: str
    model: str
    version: str
    state: str


async def finish(
    connection: AsyncConnection[Any], query: str, parameters: Mapping[str, Any]
) -> list[Finished]:
    """Run a query that finishes requests and tell of them, in the caller's transaction.

    query: the name of one that returns the columns of Finished.
    """
    async with connection.cursor(row_factory=class_row(Finished)) as cursor:
        await cursor.execute(_SQL[query], parameters)
        finished = await cursor.fetchall()
    if finished:
        await _announce(connection, finished)
    return finished


async def fail(
    connection: AsyncConnection[Any], errors: Mapping[str, PredictError]
) -> list[Finished]:
    """Make unfinished requests FAILED, by id, in the caller's transaction."""
    if not errors:
        return []
    parameters = {"ids": list(errors), "errors": [to_json(error) for error in errors.values()]}
    return await finish(connection, "fail", parameters)


async def _announce(connection: AsyncConnection[Any], finished: Sequence[Finished]) -> None:
    columns = ("id", "model", "version", "state")
    parameters = {name: [getattr(row, name) for row in finished] for name in columns}
    await connection.execute(_SQL["announce"], parameters)
