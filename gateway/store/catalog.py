"""Which models there are, where they run and how their traffic is split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

CHANGED = "catalog_changed"  # the channel that tells gateways to read the catalog again


@dataclass(frozen=True, slots=True)
class Model:
    """A model as the database has it."""

    id: str
    description: str
    labels: list[str]
    address: str
    """host:port of its ModelRuntimeService."""
    traffic: dict[str, int]
    """Version -> percent; empty, or adding up to 100."""


def register_models(connection: psycopg.Connection, models: Sequence[Model]) -> None:
    """Make the database list exactly these models; their traffic stays as it is."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO models (id, description, labels, address) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET description = excluded.description,"
            " labels = excluded.labels, address = excluded.address",
            [(m.id, m.description, m.labels, m.address) for m in models],
        )
        ids = [m.id for m in models]
        cursor.execute("DELETE FROM traffic WHERE model <> ALL (%s)", (ids,))
        cursor.execute("DELETE FROM models WHERE id <> ALL (%s)", (ids,))
        cursor.execute("SELECT pg_notify(%s, '')", (CHANGED,))


def set_traffic(connection: psycopg.Connection, model: str, traffic: Mapping[str, int]) -> None:
    """Replace how the requests of a model are split: version -> percent, adding up to 100.

    Raises ValueError when they do not.
    """
    if sum(traffic.values()) != 100:
        raise ValueError(f"the shares of {model} add up to {sum(traffic.values())}, not to 100")
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM traffic WHERE model = %s", (model,))
        cursor.executemany(
            "INSERT INTO traffic (model, version, percent) VALUES (%s, %s, %s)",
            [(model, version, percent) for version, percent in traffic.items()],
        )
        cursor.execute("SELECT pg_notify(%s, '')", (CHANGED,))


_READ = """
SELECT m.id, m.description, m.labels, m.address,
       coalesce(jsonb_object_agg(t.version, t.percent) FILTER (WHERE t.model IS NOT NULL), '{}')
           AS traffic
FROM models m LEFT JOIN traffic t ON t.model = m.id
GROUP BY m.id ORDER BY m.id
"""


def read_models(connection: psycopg.Connection) -> list[Model]:
    """All models, ordered by id."""
    with connection.cursor(row_factory=class_row(Model)) as cursor:
        return cursor.execute(_READ).fetchall()


class Catalog:
    """The catalog as the gateway holds it in memory; `refresh` reads it again."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self.models: dict[str, Model] = {}
        """By id, ordered by id."""

    async def refresh(self) -> None:
        """Read the catalog from the database."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Model))
            rows = await (await cursor.execute(_READ)).fetchall()
        self.models = {model.id: model for model in rows}
