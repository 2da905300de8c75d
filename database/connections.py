"""How long a connection may hold up a program whose database went away without a word.

Left to the system, a caller would wait for about 15 minutes for an answer that never comes.
Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from telemetry.capacity import tell_capacity

BOUNDS: dict[str, str | int] = {
    "connect_timeout": 5,  # s, for each address of the host
    "keepalives_idle": 10,  # s of silence, then probes
    "keepalives_interval": 5,  # s
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # ms, until what was sent must have arrived
}
"""libpq's parameters. On a Unix socket, those of TCP mean nothing."""

UNPREPARED: dict[str, Any] = {"prepare_threshold": None}
"""psycopg's parameters for connections that ask for predictions: contract/days.py says why."""


def tell_pool(pool: AsyncConnectionPool[Any]) -> None:
    """Tell Prometheus how many connections of a program's pool are in use."""

    def in_use() -> int:
        stats = pool.get_stats()
        return stats["pool_size"] - stats["pool_available"]

    tell_capacity("database_connections", pool.max_size, in_use)


def bounded(conninfo: str = "") -> str:
    """A connection string with the bounds; what it leaves open, the PG* variables say."""
    return make_conninfo(conninfo, **BOUNDS)


def connect(conninfo: str = "") -> "psycopg.Connection[Any]":
    """A connection with the bounds that prepares nothing, with autocommit. Raises psycopg.Error."""
    return psycopg.connect(bounded(conninfo), autocommit=True, **UNPREPARED)
