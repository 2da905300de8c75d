"""A database that goes away without a word holds nobody up for long."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest

from database.connections import BOUNDS, bounded
from tests.parts.postgres import Database


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            psycopg.connect(bounded(f"host=127.0.0.1 port={port}"))


def test_the_bounds_of_tcp_do_no_harm_on_a_socket(database: Database) -> None:
    with psycopg.connect(bounded(database.conninfo)) as connection:
        assert (
            connection.info.get_parameters().items()
            >= {name: str(value) for name, value in BOUNDS.items()}.items()
        )
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_system_knows_the_bounds_of_a_connection_by_tcp(database: Database) -> None:
    environment = database.environment
    with by_tcp(f"{environment['PGHOST']}/.s.PGSQL.{environment['PGPORT']}") as port:
        conninfo = bounded(f"{database.conninfo} host=127.0.0.1 port={port}")
        with psycopg.connect(conninfo) as connection:
            own = socket.socket(fileno=os.dup(connection.fileno()))
            options = (
                socket.TCP_USER_TIMEOUT,
                socket.TCP_KEEPIDLE,
                socket.TCP_KEEPINTVL,
                socket.TCP_KEEPCNT,
            )
            with own:
                assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                given = [own.getsockopt(socket.IPPROTO_TCP, option) for option in options]
    assert given == [15_000, 10, 5, 3]


@contextmanager
def by_tcp(path: str) -> Iterator[int]:
    """A port that hands one connection on to a socket."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as inner:
        inner.connect(path)

        def hand_on(source: socket.socket, sink: socket.socket) -> None:
            with suppress(OSError):
                while content := source.recv(65536):
                    sink.sendall(content)

        def serve() -> None:
            outer, _ = server.accept()
            with outer:
                back = threading.Thread(target=hand_on, args=(inner, outer), daemon=True)
                back.start()
                hand_on(outer, inner)
                back.join(10)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
