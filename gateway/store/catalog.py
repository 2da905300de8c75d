"""Which models there are, where they run, their versions, and how their traffic is split."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

CHANGED = "catalog_changed"  # the channel that tells gateways to read the catalog again
SERVING = "SERVING"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a model as the database has it."""

    version: str
    state: str
    """LOADING, SERVING, DRAINING, RETIRED or REFUSED."""
    sha256: str
    update_time: datetime


@dataclass(frozen=True, slots=True)
class Model:
    """A model as the database has it."""

    id: str
    description: str
    labels: list[str]
    address: str
    """host:port of its ModelRuntimeService."""
    traffic: dict[str, int] = field(default_factory=dict)
    """Version -> percent; empty, or adding up to 100."""
    versions: dict[str, Version] = field(default_factory=dict)
    """The newest first."""

    def serves(self, version: str) -> bool:
        """Whether a caller may ask for this version."""
        known = self.versions.get(version)
        return known is not None and known.state == SERVING


def register_models(connection: psycopg.Connection, models: Sequence[Model]) -> None:
    """Make the database list exactly these models; versions, traffic and history stay."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO models (id, description, labels, address) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET description = excluded.description,"
            " labels = excluded.labels, address = excluded.address, listed = true",
            [(m.id, m.description, m.labels, m.address) for m in models],
        )
        ids = [m.id for m in models]
        cursor.execute("UPDATE models SET listed = false WHERE id <> ALL (%s)", (ids,))
        cursor.execute("SELECT pg_notify(%s, '')", (CHANGED,))


_READ_MODELS = """
SELECT m.id, m.description, m.labels, m.address,
       coalesce(jsonb_object_agg(t.version, t.percent) FILTER (WHERE t.model IS NOT NULL), '{}')
           AS traffic
FROM models m LEFT JOIN traffic t ON t.model = m.id
WHERE m.listed
GROUP BY m.id ORDER BY m.id
"""
_READ_VERSIONS = """
SELECT v.model, v.version, v.state::text, v.sha256, v.update_time
FROM versions v JOIN models m ON m.id = v.model AND m.listed
ORDER BY v.model, v.version::bigint DESC
"""


class Catalog:
    """The catalog as the gateway holds it in memory; `refresh` reads it again."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self.models: dict[str, Model] = {}
        """By id, ordered by id."""

    async def refresh(self) -> None:
        """Read the catalog from the database."""
        async with self._pool.connection() as connection, connection.transaction():
            # Both statements must see the same models.
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor = connection.cursor(row_factory=class_row(Model))
            models = {m.id: m for m in await (await cursor.execute(_READ_MODELS)).fetchall()}
            for model, *row in await (await connection.execute(_READ_VERSIONS)).fetchall():
                models[model].versions[row[0]] = Version(*row)
        self.models = models
