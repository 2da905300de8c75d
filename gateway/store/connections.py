"""A few connections to the database, each opened by whoever needs one and finds none free.

So the errors of opening are those of the call that needs it, at once, and the first call after an
outage ends it: nothing is waited for that others try again in the background.
"""

import asyncio
import select
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import psycopg
from psycopg import errors, pq

from contract.errors import StoreUnavailable
from database.connections import bounded
from gateway import request_context
from gateway.store.silence import LOOK_S, Silence
from gateway.turns import Turns

Connection = psycopg.AsyncConnection[Any]

FIRST_TRY_S = 0.5  # between tries of `wait`
MAX_AGE_S = 3600
"""Of a connection that is shared: PostgreSQL keeps for its length what it knows of each day that
was looked at, some 60 KB for each."""
MOST_WAITING = 16
"""Searches of one caller."""


class Connections:
    """Shared by all that ask the database; `async with` closes what is free at its end."""

    def __init__(self, size: int = 1, *, conninfo: str = "") -> None:
        """size: of what `connection` hands out at once. conninfo: as the PG* variables say."""
        self._conninfo = conninfo
        self.size = size
        """So many are handed out at once."""
        self.in_use = 0
        self._turns = Turns(size)
        self._searches = Turns(max(size // 2, 1), each=1, most_waiting=MOST_WAITING)
        self._free: list[tuple[Connection, float]] = []  # and when they were opened
        self.silence = Silence(self._look)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.silence.close()
        for connection, _opened in self._free:
            await connection.close()

    async def wait(self, timeout_s: float) -> None:
        """Until the database takes a connection. Raises what it says in the end."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            try:
                return await self._look()
            except psycopg.OperationalError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(FIRST_TRY_S)

    async def open(self) -> Connection:
        """A new one, with autocommit, which is the caller's.

        Raises psycopg.OperationalError, and StoreUnavailable where there is no answer.
        """
        self.silence.check()
        try:
            async with asyncio.timeout(LOOK_S):
                return await self._connect()
        except (TimeoutError, errors.ConnectionTimeout) as error:
            self.silence.notice()
            raise StoreUnavailable from error

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One of those that are shared, for the length of the block; callers go in turn.

        Raises as `open` does, and passes on what the block raises.
        """
        self.silence.check()
        async with self._turns.turn(request_context.current().caller):
            connection, opened = await self._take() or (await self.open(), time.monotonic())
            self.in_use += 1
            try:
                with self.silence.watching(connection.pgconn):
                    yield connection
            except psycopg.Error:
                # It may lead to a server that is no longer the primary.
                await connection.close()
                raise
            finally:
                self.in_use -= 1
                await self._give_back(connection, opened)

    @asynccontextmanager
    async def for_search(self) -> AsyncIterator[Connection]:
        """One as `connection` gives, for what may take long: half of them are for what is quick.

        A caller with a name has one at a time. Raises Overloaded where too many of his wait.
        """
        self.silence.check()
        async with (
            self._searches.turn(request_context.current().caller),
            self.connection() as connection,
        ):
            yield connection

    async def _take(self) -> tuple[Connection, float] | None:
        while self._free:
            connection, opened = self._free.pop()
            if is_quiet(connection.pgconn):
                return connection, opened
            await connection.close()
        return None

    async def _give_back(self, connection: Connection, opened: float) -> None:
        is_idle = connection.pgconn.transaction_status == pq.TransactionStatus.IDLE
        if is_idle and time.monotonic() < opened + MAX_AGE_S:
            self._free.append((connection, opened))
        else:
            await connection.close()

    async def _connect(self) -> Connection:
        return await psycopg.AsyncConnection.connect(bounded(self._conninfo), autocommit=True)

    async def _look(self) -> None:
        connection = await self._connect()
        await connection.close()


def is_quiet(link: pq.abc.PGconn) -> bool:
    """Whether nothing lies ready to be read, the end of the connection included."""
    if link.status == pq.ConnStatus.BAD:
        return False
    poll = select.poll()
    poll.register(link.socket, select.POLLIN)
    return not poll.poll(0)
