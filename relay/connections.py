"""The relay's connections, none of which prepares a statement."""

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from database.connections import UNPREPARED, bounded


def make_pool() -> AsyncConnectionPool[AsyncConnection[Any]]:
    """Those that its loops share; to be opened with `async with`."""
    return AsyncConnectionPool(
        bounded(),
        kwargs=UNPREPARED,
        min_size=2,
        max_size=6,
        timeout=5,
        reconnect_timeout=5,
        open=False,
    )


async def connect() -> AsyncConnection[Any]:
    """One of the caller's own. Raises psycopg.Error."""
    return await AsyncConnection.connect(bounded(), **UNPREPARED)
