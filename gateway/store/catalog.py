"""Which models there are, where they run, their versions, and how their traffic is split."""

from dataclasses import dataclass, field
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

from database import named_sql
from gateway.store.connections import Connections

CHANGED = "catalog_changed"  # the channel that tells gateways to read the catalog again
SERVING = "SERVING"

_SQL = named_sql.load("gateway.store", "catalog.sql")


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a model as the database has it."""

    version: str
    state: str
    """LOADING, SERVING, DRAINING, RETIRED or REFUSED."""
    sha256: str
    update_time: datetime
    labels: list[str]
    """In the order of its scores."""
    address: str
    """host:port or unix:/path of the server that answers for it."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as the database has it."""

    id: str
    description: str
    labels: list[str]
    """As its clients know them."""
    address: str
    """host:port or unix:/path of the server that answers, unless a version has its own."""
    feature_share: float = 1.0
    """Of the calls that carry features."""
    traffic: dict[str, int] = field(default_factory=dict)
    """Version -> basis points, hundredths of a percent; empty, or adding up to 10,000."""
    percent: dict[str, int] = field(default_factory=dict)
    """The same in whole percent, rounded."""
    etag: str = ""
    """Changes whenever the traffic does."""
    versions: dict[str, Version] = field(default_factory=dict)
    """The newest first."""

    def serves(self, version: str) -> bool:
        """Whether a caller may ask for this version."""
        known = self.versions.get(version)
        return known is not None and known.state == SERVING

    def labels_of(self, version: str) -> list[str]:
        """What the scores of a version are of, in their order."""
        known = self.versions.get(version)
        return known.labels if known else self.labels

    def address_of(self, version: str) -> str:
        """The server that answers for a version."""
        known = self.versions.get(version)
        return known.address if known else self.address


class Catalog:
    """The catalog as the gateway holds it in memory; `refresh` reads it again."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.models: dict[str, Model] = {}
        """By id, ordered by id."""

    async def refresh(self) -> None:
        """Read the catalog from the database."""
        async with self._connections.connection() as connection:
            await self.refresh_by(connection)

    async def refresh_by(self, connection: AsyncConnection) -> None:
        """Read it by a connection that waits for nobody's work."""
        async with connection.transaction():
            await connection.execute(_SQL["hold_snapshot"])
            cursor = connection.cursor(row_factory=class_row(Model))
            models = {m.id: m for m in await (await cursor.execute(_SQL["models"])).fetchall()}
            for model, *row in await (await connection.execute(_SQL["versions"])).fetchall():
                models[model].versions[row[0]] = Version(*row)
        self.models = models
