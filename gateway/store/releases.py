"""The traffic of models in PostgreSQL: who moved it, when and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import errors
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from contract.errors import VersionNotServing
from database import named_sql
from gateway.store.connections import Connections

_SQL = named_sql.load("gateway.store", "releases.sql")
_NOT_SERVING = "PM002"  # an error of the published function


@dataclass(frozen=True, slots=True)
class Release:
    """One thing that was asked of a model's traffic."""

    id: str
    model: str
    version: str
    action: str
    actor: str
    reason: str
    state: str
    refusal: str
    detail: str
    traffic: dict[str, int] | None
    create_time: datetime
    complete_time: datetime | None


class TrafficStore:
    """Moves traffic and reads the history; psycopg's errors are passed on."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def set_traffic(
        self, model: str, shares: Mapping[str, int], *, actor: str, reason: str
    ) -> None:
        """Replace the split of a model that exists; the shares add up to 100.

        Raises VersionNotServing.
        """
        row = {"model": model, "actor": actor, "reason": reason, "shares": Jsonb(dict(shares))}
        try:
            async with self._connections.connection() as connection:
                await connection.execute(_SQL["set_traffic"], row)
        except errors.Error as error:
            if error.sqlstate == _NOT_SERVING:
                raise VersionNotServing(model, error.diag.message_detail or "") from None
            raise

    async def list(self, model: str, *, before_id: str | None, limit: int) -> list[Release]:
        """Releases of a model, the newest first; only older ones than before_id, if given."""
        async with self._connections.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Release))
            row = {"model": model, "before_id": before_id, "limit": limit}
            return await (await cursor.execute(_SQL["list_releases"], row)).fetchall()
