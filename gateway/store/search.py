"""Finds the predictions of a page: day by day, the newest first, until it is full."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from itertools import accumulate
from typing import Any

from psycopg import errors

from contract.days import FIRST_ID, LAST_ID, Ids, first_id, newest_first
from contract.errors import ListTooBroad
from database import named_sql
from gateway.prediction import ListFilter
from gateway.rights import Portion
from gateway.store.connections import Connection, Connections

_SQL = named_sql.load("gateway.store")

SEARCH_S = 5
"""What a search may take: conditions that few rows meet have it look through many."""

_APART_S = 1
"""An id and the create_time of its prediction, at the most."""


@asynccontextmanager
async def searching(connections: Connections) -> AsyncIterator[Connection]:
    """A connection for the block, whose statements are one transaction and are to be limited.

    Raises ListTooBroad for one that the limit ends; Overloaded.
    """
    try:
        async with connections.for_search() as connection, connection.transaction():
            yield connection
    except errors.QueryCanceled as error:
        raise ListTooBroad(SEARCH_S) from error


async def find_page(
    connection: Connection,
    where: ListFilter,
    *,
    portions: Sequence[Portion],
    before_id: str | None,
    limit: int,
    max_bytes: int,
    with_text: bool,
) -> list[str]:
    """The ids of predictions as PredictionStore.search gives them, of any of the portions.

    In the caller's transaction, which has it all see the same record, holds no locks of the days
    that were looked at, and has what is left of SEARCH_S for what it does then. Raises
    ListTooBroad, and errors.QueryCanceled for the same reason.
    """
    until = time.monotonic() + SEARCH_S
    conditions = {name: value or None for name, value in asdict(where).items()}
    found: list[str] = []
    if not portions:
        return found
    await connection.execute(_SQL["hold_record"])
    for ids in newest_first(_bounds(where, before_id)):
        if len(found) == limit or max_bytes < 0:
            break
        parameters = {
            **conditions,
            **ids._asdict(),
            "limit": limit - len(found),
            "max_bytes": max_bytes,
            "with_text": with_text,
        }
        rows: list[Any] = []
        for portion in portions:  # each by an index of its own
            of = {"caller": portion.caller, "models": portion.models and sorted(portion.models)}
            async with connection.transaction(force_rollback=True):  # gives its locks back
                await limit_search(connection, until - time.monotonic())
                cursor = await connection.execute(_SQL["search"], parameters | of, prepare=False)
                rows += await cursor.fetchall()
        if len(portions) > 1:
            rows = _together(rows, limit - len(found), max_bytes)
        found += [id for id, _ in rows]
        max_bytes -= sum(size for _, size in rows)
    await limit_search(connection, until - time.monotonic())  # of who reads them
    return found


def _together(rows: list[Any], limit: int, max_bytes: int) -> list[Any]:
    """What one search for all would have found; each row once, though it is in several portions."""
    newest = sorted(set(rows), reverse=True)[:limit]
    bytes_before = accumulate((size for _, size in newest), initial=0)
    return [row for row, before in zip(newest, bytes_before, strict=False) if before <= max_bytes]


def _bounds(where: ListFilter, before_id: str | None) -> Ids:
    since = first_id(where.start_time, later_s=-_APART_S) if where.start_time else FIRST_ID
    until = first_id(where.end_time, later_s=_APART_S) if where.end_time else LAST_ID
    return Ids(since, min(until, before_id or LAST_ID))


async def limit_search(connection: Connection, seconds: float = SEARCH_S) -> None:
    """Bound the statements of the caller's transaction that follow. Raises ListTooBroad."""
    if seconds <= 0:
        raise ListTooBroad(SEARCH_S)
    limit: dict[str, Any] = {"limit": f"{max(1, int(seconds * 1000))}ms"}
    await connection.execute(_SQL["limit_search"], limit)
