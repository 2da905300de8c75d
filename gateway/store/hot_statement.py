"""One prepared statement on a connection of its own, sent by libpq itself.

psycopg's `execute` costs more than a commit of one row: this leaves out all of it but the results'
errors. Source: https://www.postgresql.org/docs/current/libpq-async.html
"""

import asyncio

import psycopg
from psycopg import errors, pq

from gateway.store.connections import Connection, Connections, is_quiet

_NAME = b"hot"


class HotStatement:
    """A statement with one parameter, $1, executed by one caller at a time.

    Connects when it is first used, and again after its connection was lost.
    """

    def __init__(self, sql: str, connections: Connections) -> None:
        """connections: where its own is opened."""
        self._sql = sql.encode()
        self._connections = connections
        self._silence = connections.silence
        self._connection: Connection | None = None
        self._socket: int | None = None
        """Its file descriptor, while the loop watches it."""
        self._arrived: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None

    async def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            await self._drop()

    async def execute(self, parameter: bytes) -> list[str]:
        """The first column of the rows that it returns; the statement is committed then.

        Raises psycopg.Error, and StoreUnavailable where there would be no answer. A lost connection
        says nothing of whether it was committed.
        """
        self._silence.check()
        if self._connection is not None and not is_quiet(self._connection.pgconn):
            await self._drop()  # it has ended, though the loop may not have seen it yet
        if self._connection is None:
            await self._connect()
        assert self._connection is not None
        link = self._connection.pgconn
        try:
            with self._silence.watching(link):
                link.send_query_prepared(_NAME, [parameter])
                return await self._rows(link)
        except BaseException:
            # What was sent may still be under way: the next call must not read its answer.
            await self._drop()
            raise

    async def _connect(self) -> None:
        connection = await self._connections.open()
        self._connection = connection
        link = connection.pgconn
        self._socket = link.socket
        asyncio.get_running_loop().add_reader(self._socket, self._on_readable)
        try:
            with self._silence.watching(link):
                link.send_prepare(_NAME, self._sql)
                await self._rows(link)
        except BaseException:
            await self._drop()
            raise

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._stop_watching()
        if connection is not None:  # `close` may have come first
            await connection.close()

    def _stop_watching(self) -> None:
        """In the same turn of the loop in which libpq may have closed the socket: its number may
        be another's in the next."""
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        loop.remove_writer(self._socket)
        self._socket = None
        if self._writable is not None and not self._writable.done():
            self._writable.set_exception(psycopg.OperationalError("the connection is lost"))

    async def _rows(self, link: pq.abc.PGconn) -> list[str]:
        """What the statement under way answers, once it has."""
        while link.flush():  # more than the socket takes at once
            await self._until_writable()
        result = None
        while (more := await self._next(link)) is not None:
            result = more
        if result is None or link.status == pq.ConnStatus.BAD:
            raise psycopg.OperationalError("the connection is lost")
        if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            raise errors.error_from_result(result)
        return [(result.get_value(row, 0) or b"").decode() for row in range(result.ntuples)]

    async def _next(self, link: pq.abc.PGconn) -> pq.abc.PGresult | None:
        """The next result, none after the last; what has not arrived is waited for here: libpq
        would stop the whole loop for it."""
        while link.is_busy():
            if is_quiet(link):  # uvloop tells of a connection's end once, as of what came before it
                await self._until_readable()
            link.consume_input()
        return link.get_result()

    async def _until_readable(self) -> None:
        self._arrived = asyncio.get_running_loop().create_future()
        try:
            await self._arrived
        finally:
            self._arrived = None

    async def _until_writable(self) -> None:
        if self._socket is None:
            raise psycopg.OperationalError("the connection is lost")
        loop = asyncio.get_running_loop()
        writable = self._writable = loop.create_future()
        loop.add_writer(self._socket, self._on_writable)
        try:
            await writable
        finally:
            self._writable = None
            if self._socket is not None:
                loop.remove_writer(self._socket)

    def _on_writable(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _on_readable(self) -> None:
        if self._arrived is None:
            self._read_unasked()
        elif not self._arrived.done():
            self._arrived.set_result(None)

    def _read_unasked(self) -> None:
        """Nobody waits for anything: it is a notice, or the end of the connection."""
        assert self._connection is not None
        try:
            self._connection.pgconn.consume_input()
        except psycopg.OperationalError:
            self._stop_watching()
