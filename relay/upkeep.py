"""The tables' upkeep: partitions for the days to come, indexes for those of before, no dead rows in
those that are over, and no request of old days left unfinished."""

import logging

import psycopg
from psycopg_pool import AsyncConnectionPool

from database import named_sql
from relay.connections import connect
from relay.sweeps import expire_left_behind

log = logging.getLogger(__name__)

_SQL = named_sql.load("relay")


class Upkeep:
    """Run `step` every hour."""

    def __init__(self, *, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def step(self) -> None:
        """Do what is due; a second relay that does the same does no harm."""
        await self._try("create_partitions")
        await self._try("settle_days")
        while await self._try("index_day"):  # one a transaction: none is long
            pass
        async with await connect() as connection:
            await expire_left_behind(connection)

    async def _try(self, query: str) -> bool:
        """The value that a query answers, if any."""
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(_SQL[query])
                row = await cursor.fetchone() if cursor.description else None
        except (psycopg.IntegrityError, psycopg.errors.LockNotAvailable) as error:
            # Made by another relay at the same time, or the default partition has its rows; or a
            # transaction does not end. To try again at once would keep others waiting anew, and
            # there are days enough.
            log.error("%s: %s", query, error.diag.message_primary)
            return False
        return bool(row and row[0])
