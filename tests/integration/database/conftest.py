"""A catalog with two models, and the connections of their programs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from database.logins import Login, create_login, worker_login
from tests.parts.catalog import register
from tests.parts.postgres import Database
from tests.parts.requests import Requests

PASSWORD = "of-a-test"  # noqa: S105

Connect = Callable[[Login], "psycopg.Connection[Any]"]


@pytest.fixture
def requests(database: Database) -> Requests:
    """The requests of a database with the models "sentiment" and "genre"."""
    register(database, {"sentiment": ["1", "2"], "genre": ["1"]})
    return Requests(database)


@pytest.fixture
def connect(database: Database) -> Iterator[Connect]:
    """Connects as a login, which is made if need be."""
    with ExitStack() as connections:

        def connect(login: Login) -> "psycopg.Connection[Any]":
            with psycopg.connect(database.conninfo, autocommit=True) as owner:
                create_login(owner, login, PASSWORD)
            connection = psycopg.connect(database.conninfo, user=login.name, autocommit=True)
            return connections.enter_context(connection)

        yield connect


@pytest.fixture
def worker(requests: Requests, connect: Connect) -> "psycopg.Connection[Any]":
    """The connection of the worker of "sentiment"."""
    return connect(worker_login("sentiment"))
