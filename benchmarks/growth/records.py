"""Records of several sizes, each a database of one server."""

from typing import NamedTuple

import psycopg
from psycopg import sql

from database import named_sql
from pmesh.stack.postgres import DATABASE, OWNER, SUPERUSER, Postgres

DAYS = (39, 373, 738)
"""Partitions of each table of the record."""
LEAST_ROWS, MOST_ROWS = 10_000, 1_000_000
_AHEAD = 8
"""Of these, today and the days to come."""

_SQL = named_sql.load("benchmarks.growth", "record.sql")


class Size(NamedTuple):
    """Of a record."""

    rows: int
    days: int


def sizes(most_rows: int) -> list[Size]:
    """The smallest, more rows, more days, and both."""
    few, *more = DAYS
    rows = LEAST_ROWS
    by_rows = [Size(rows, few)]
    while (rows := rows * 10) <= most_rows:
        by_rows.append(Size(rows, few))
    by_days = [Size(LEAST_ROWS, days) for days in more]
    both = [Size(by_rows[-1].rows, more[-1])] if by_rows[1:] else []
    return by_rows + by_days + both


def make_days(postgres: Postgres, days: int) -> None:
    """An empty record with so many, which others are copied from."""
    conninfo = _create(postgres, _empty(days), DATABASE)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SELECT set_config('growth.days', %s, false)", [str(days - _AHEAD)])
        connection.execute(_SQL["make_days"])


def make_record(postgres: Postgres, size: Size) -> str:
    """A record of this size, with the days of `make_days`; how the superuser connects to it."""
    conninfo = _create(postgres, f"growth_{size.rows}_{size.days}", _empty(size.days))
    with psycopg.connect(conninfo, autocommit=True) as connection:
        given = {"rows": size.rows, "days": size.days - _AHEAD}
        connection.execute(_SQL["requests"], given)
        connection.execute(_SQL["predictions"])
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    return conninfo


def _create(postgres: Postgres, name: str, template: str) -> str:
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
    with psycopg.connect(postgres.conninfo(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(create.format(*map(sql.Identifier, (name, template, OWNER))))
    return postgres.conninfo(SUPERUSER, name)


def _empty(days: int) -> str:
    return f"growth_{days}"
