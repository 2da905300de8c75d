"""Provisioning takes turns: one command at a time in a database, the others wait.

By the lock of a table: what is left to everybody of advisory locks is nothing, see server.sql.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import errors

from database import named_sql
from database.connections import bounded

_SQL = named_sql.load("database")


@contextmanager
def turn() -> Iterator[None]:
    """Keep others who ask for it waiting until the block ends, or this process does.

    Raises psycopg.Error.
    """
    with psycopg.connect(bounded(), autocommit=True) as connection:
        # Another run may make it at the same moment.
        with suppress(errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject):
            connection.execute(_SQL["create_turn"])
        with connection.transaction():
            connection.execute(_SQL["keep_turn"])
            connection.execute(_SQL["take_turn"])
            yield
