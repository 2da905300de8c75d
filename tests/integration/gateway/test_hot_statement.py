"""The statement that libpq sends by itself: its rows, its errors, and lost connections."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
import uvloop

from gateway.store.connections import Connections
from gateway.store.hot_statement import HotStatement
from tests.parts.postgres import Database, Postgres

DOUBLED = "SELECT (value::int * 2)::text FROM json_array_elements_text($1::json) AS t (value)"
SLOW = "SELECT $1::text, pg_sleep($1::float8)"


@pytest.fixture
async def statement(database: Database) -> AsyncIterator[HotStatement]:
    statement = HotStatement(DOUBLED, Connections(conninfo=database.conninfo))
    yield statement
    await statement.close()


async def test_it_answers_with_the_first_column(statement: HotStatement) -> None:
    assert await statement.execute(b"[1, 2]") == ["2", "4"]
    assert await statement.execute(b"[]") == []


async def test_a_parameter_larger_than_the_socket_takes_arrives(statement: HotStatement) -> None:
    numbers = [str(n % 10) for n in range(1_000_000)]
    answer = await statement.execute(b"[" + ",".join(numbers).encode() + b"]")
    assert len(answer) == len(numbers)


async def test_an_error_is_psycopgs_and_the_next_call_is_well(statement: HotStatement) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        await statement.execute(b'["x"]')
    assert await statement.execute(b"[3]") == ["6"]


async def test_a_statement_that_cannot_be_prepared_says_so(database: Database) -> None:
    connections = Connections(conninfo=database.conninfo)
    statement = HotStatement("SELECT * FROM nowhere WHERE $1", connections)
    with pytest.raises(psycopg.errors.UndefinedTable):
        await statement.execute(b"")
    await statement.close()


async def test_a_call_that_is_given_up_leaves_nothing_for_the_next(database: Database) -> None:
    slow = HotStatement(SLOW, Connections(conninfo=database.conninfo))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await slow.execute(b"5")
    assert await slow.execute(b"0") == ["0"]
    await slow.close()


async def test_a_connection_that_was_lost_while_idle_costs_no_call(
    statement: HotStatement, database: Database
) -> None:
    assert await statement.execute(b"[1]") == ["2"]
    cut(database)
    await asyncio.sleep(0.05)  # the loop hears of it
    assert await statement.execute(b"[4]") == ["8"]


async def test_a_connection_that_is_lost_meanwhile_is_an_operational_error(
    database: Database,
) -> None:
    slow = HotStatement(SLOW, Connections(conninfo=database.conninfo))
    assert await slow.execute(b"0") == ["0"]
    call = asyncio.create_task(slow.execute(b"30"))
    await asyncio.sleep(0.1)
    cut(database)
    with pytest.raises(psycopg.OperationalError):
        await call
    assert await slow.execute(b"0") == ["0"]
    await slow.close()


async def test_a_database_that_is_away_is_an_operational_error(
    statement: HotStatement, postgres: Postgres
) -> None:
    assert await statement.execute(b"[1]") == ["2"]
    postgres.stop_immediately()
    try:
        with pytest.raises(psycopg.OperationalError):
            await statement.execute(b"[1]")
    finally:
        postgres.start()
    assert await statement.execute(b"[5]") == ["10"]


def test_a_server_that_closes_while_it_is_written_to_is_an_operational_error() -> None:
    """libpq closes the socket then, and uvloop ends the process if it still watches it."""

    async def execute(port: int) -> None:
        statement = HotStatement(
            DOUBLED, Connections(conninfo=f"host=127.0.0.1 port={port} sslmode=disable")
        )
        with pytest.raises(psycopg.OperationalError):
            await statement.execute(b"[" + b"1," * 20_000_000 + b"1]")
        await statement.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_speak_then_close, args=(listener,))
        server.start()
        uvloop.run(execute(listener.getsockname()[1]))
        server.join(10)


def test_a_server_that_dies_with_a_last_word_is_an_operational_error(tmp_path: Path) -> None:
    """The word and the end come as one event of uvloop, and it is the last one."""

    async def execute() -> None:
        statement = HotStatement(DOUBLED, Connections(conninfo=f"host={tmp_path} port=1"))
        with pytest.raises(psycopg.OperationalError):
            async with asyncio.timeout(100):
                await statement.execute(b"[1]")
        await statement.close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / ".s.PGSQL.1"))
        listener.listen()
        server = threading.Thread(target=_speak_then_die, args=(listener,))
        server.start()
        uvloop.run(execute())
        server.join(10)


def _speak_then_die(listener: socket.socket) -> None:
    """As a server that is told to quit at once: it reads no more, and says so."""
    connection, _ = listener.accept()
    with connection:
        _let_prepare(connection)
        connection.recv(1)  # of Bind; what stays unread makes the end a reset
        word = b"SWARNING\x00VWARNING\x00C57P01\x00Mthe end\x00\x00"
        connection.sendall(b"N" + (len(word) + 4).to_bytes(4, "big") + word)


def _speak_then_close(listener: socket.socket) -> None:
    """It reads little of a long parameter."""
    connection, _ = listener.accept()
    with connection:
        _let_prepare(connection)
        connection.recv(4096)  # the first bytes of Bind; the rest fills the socket
        time.sleep(0.3)
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.3)


def _let_prepare(connection: socket.socket) -> None:
    """As much of a server as lets a statement be prepared."""
    connection.recv(4096)  # the startup
    ready = b"Z\x00\x00\x00\x05I"
    connection.sendall(b"R\x00\x00\x00\x08\x00\x00\x00\x00" + ready)
    connection.recv(4096)  # Parse and Sync
    connection.sendall(b"1\x00\x00\x00\x04" + ready)


def cut(database: Database) -> None:
    """End every other session on the database."""
    with database.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
