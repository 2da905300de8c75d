"""Reads what the monitoring job has made, from PostgreSQL."""

from dataclasses import asdict
from typing import Any

from contract.monitoring_errors import ReferenceNotFound
from database import named_sql
from gateway.quality import MetricFilter, MetricKey, ModelReference, QualityMetric
from gateway.store.connections import Connections
from gateway.store.search import limit_search, searching

_SQL = named_sql.load("gateway.store", "quality.sql")


class MetricStore:
    """Reads figures and references; psycopg's errors are passed on, and StoreUnavailable."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def search(
        self, where: MetricFilter, *, after: MetricKey | None, limit: int
    ) -> list[QualityMetric]:
        """Read figures, the newest hour first; only those after a key, if given.

        Raises ListTooBroad, Overloaded.
        """
        conditions: dict[str, Any] = {k: v or None for k, v in asdict(where).items()}
        conditions |= {"slice": where.slice, "limit": limit}
        conditions |= {f"last_{name}": getattr(after, name, None) for name in MetricKey._fields}
        async with searching(self._connections) as connection:
            await limit_search(connection)
            # Not prepared: the best plan depends on which conditions are given.
            cursor = await connection.execute(_SQL["list_metrics"], conditions, prepare=False)
            return [QualityMetric(*row) for row in await cursor.fetchall()]

    async def references(
        self, model: str, *, after: str | None, limit: int
    ) -> list[ModelReference]:
        """What the hours of a model are compared with; only what comes after a version's."""
        found = await self._fetch("list_references", model=model, after=after, limit=limit)
        return [ModelReference(*row) for row in found]

    async def reference(self, model: str, version: str) -> ModelReference:
        """What the hours of a version are compared with. Raises ReferenceNotFound."""
        found = await self._fetch("get_reference", model=model, version=version)
        if not found:
            raise ReferenceNotFound(model, version)
        return ModelReference(*found[0])

    async def _fetch(self, query: str, **given: Any) -> list[Any]:
        async with self._connections.connection() as connection:
            return await (await connection.execute(_SQL[query], given)).fetchall()
