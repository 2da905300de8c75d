"""The tables' upkeep: partitions for the days to come, no dead rows in those that are over, and no
request of old days left unfinished."""

import logging

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from database import named_sql
from database.connections import UNPREPARED, bounded
from relay.sweeps import expire_left_behind

log = logging.getLogger(__name__)

_SQL = named_sql.load("relay")


class Upkeep:
    """Run `step` every hour."""

    def __init__(self, *, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def step(self) -> None:
        """Do what is due; a second relay that does the same does no harm."""
        for query in ("create_partitions", "settle_days"):
            try:
                async with self._pool.connection() as connection:
                    await connection.execute(_SQL[query])
            except (psycopg.IntegrityError, psycopg.errors.LockNotAvailable) as error:
                # Made by another relay at the same time, or the default partition has its rows; or
                # a transaction does not end. To try again at once would keep others waiting anew,
                # and there are days enough.
                log.error("%s: %s", query, error.diag.message_primary)
        async with await AsyncConnection.connect(bounded(), **UNPREPARED) as connection:
            await expire_left_behind(connection)
