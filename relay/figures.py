"""What waits, and how PostgreSQL fares: read now and then, and told whenever somebody asks.

While it cannot be read there is nothing to tell, rather than what was.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from bus.errors import BusUnavailable
from bus.outages import OUTAGES
from bus.sqs import Queue
from bus.topology import Names, dead_letters
from contract.days import unfinished_since
from database import named_sql
from relay.metrics import REARMED

_SQL = named_sql.load("relay")

PAUSE_S = 15.0
"""Between two looks."""
_STALE_S = 3 * PAUSE_S
"""From a look that does not end to when nothing is told any more."""
_STATES = ("ACCEPTED", "RUNNING")
_NO_QUEUE = ("NonExistentQueue", "QueueDoesNotExist")


class RelayFigures(Collector):
    """Run `step` every PAUSE_S. Each relay tells the same."""

    def __init__(
        self, *, pool: AsyncConnectionPool, names: Names, open_queue: Callable[[str], Queue]
    ) -> None:
        self._pool = pool
        self._names = names
        self._open_queue = open_queue
        self._metrics: list[Metric] = []
        self._stale = 0.0

    async def step(self) -> None:
        """Read all of it."""
        try:
            models, metrics = await self._read_database()
            metrics += await self._read_queues(models)
        except OUTAGES:
            self._metrics = []
            raise
        self._metrics, self._stale = metrics, time.monotonic() + _STALE_S

    def collect(self) -> Iterator[Metric]:
        """The metrics as they were read last."""
        if time.monotonic() < self._stale:
            yield from self._metrics

    async def _read_database(self) -> tuple[list[str], list[Metric]]:
        """The models, and what is told of the database."""
        async with self._pool.connection() as connection:
            await connection.execute(_SQL["limit_figures"])
            outbox = await _rows(connection, "outbox_figures")
            requests = await _rows(connection, "request_figures", since=unfinished_since())
            (database,) = await _rows(connection, "database_figures")
        models = sorted({row["model"] for row in requests})
        for model in models:
            REARMED.labels(model)  # from its beginning on
        return models, [*_outbox(outbox), *_requests(requests), *_database(database)]

    async def _read_queues(self, models: list[str]) -> list[Metric]:
        """Without those that are not there."""
        messages = GaugeMetricFamily(
            "pmesh_queue_messages",
            "About how many messages a queue has.",
            labels=("queue", "state"),
        )
        dead = GaugeMetricFamily(
            "pmesh_dead_letters",
            "Dead letters, by the queue that they come from.",
            labels=("queue",),
        )
        queues = [self._names.gateway_queue, *map(self._names.model_queue, models)]
        for name in queues:
            try:
                visible, in_flight = await self._open_queue(name).counts()
                messages.add_metric((name, "visible"), visible)
                messages.add_metric((name, "in_flight"), in_flight)
                dead.add_metric((name,), await self._open_queue(dead_letters(name)).size())
            except BusUnavailable as error:
                if not str(error).endswith(_NO_QUEUE):
                    break  # the others would be waited for as long
        return [messages, dead]


async def _rows(
    connection: AsyncConnection[Any], query: str, **parameters: Any
) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SQL[query], parameters)
        return await cursor.fetchall()


def _outbox(rows: list[dict[str, Any]]) -> Iterator[Metric]:
    events = GaugeMetricFamily(
        "pmesh_outbox_events", "Events that wait to be published.", labels=("event",)
    )
    ages = GaugeMetricFamily(
        "pmesh_outbox_oldest_age_seconds",
        "How long the oldest of them has waited; 0: there is none.",
        labels=("event",),
    )
    for row in rows:
        events.add_metric((row["event"],), row["waiting"])
        ages.add_metric((row["event"],), row["age_s"])
    yield from (events, ages)


def _requests(rows: list[dict[str, Any]]) -> Iterator[Metric]:
    unfinished = GaugeMetricFamily(
        "pmesh_requests_unfinished",
        "Requests that are not finished; up to 20,000 of a model.",
        labels=("model", "state"),
    )
    oldest = GaugeMetricFamily(
        "pmesh_requests_oldest_age_seconds",
        "How long ago the oldest of them was accepted; 0: there is none.",
        labels=("model",),
    )
    sizes = {(row["model"], row["state"]): row["size"] for row in rows}
    for model in sorted({row["model"] for row in rows}):
        for state in _STATES:
            unfinished.add_metric((model, state), sizes.get((model, state), 0))
        oldest.add_metric((model,), max(row["age_s"] for row in rows if row["model"] == model))
    yield from (unfinished, oldest)


def _database(row: dict[str, Any]) -> Iterator[Metric]:
    connections = GaugeMetricFamily(
        "pmesh_database_connections", "Connections of each login.", labels=("login",)
    )
    for login, size in sorted(row["connections"].items()):
        connections.add_metric((login,), size)
    transactions = CounterMetricFamily(
        "pmesh_database_transactions", "Transactions that have ended.", labels=("outcome",)
    )
    transactions.add_metric(("commit",), row["commits"])
    transactions.add_metric(("rollback",), row["rollbacks"])
    blocks = CounterMetricFamily(
        "pmesh_database_blocks", "Blocks that were read, by where they were.", labels=("from",)
    )
    blocks.add_metric(("cache",), row["cached"])
    blocks.add_metric(("disk",), row["read"])
    yield from (connections, transactions, blocks)
    yield CounterMetricFamily(
        "pmesh_database_deadlocks", "Deadlocks that were broken.", value=row["deadlocks"]
    )
    for name, meaning, column in (
        ("pmesh_erasures_waiting", "Features that are to be erased.", "erasures"),
        ("pmesh_database_connections_limit", "All that there may be.", "connections_limit"),
        ("pmesh_database_size_bytes", "What it takes on its disk.", "size_bytes"),
        (
            "pmesh_database_oldest_transaction_seconds",
            "How long the oldest transaction has run.",
            "oldest_s",
        ),
    ):
        if row[column] is not None:
            yield GaugeMetricFamily(name, meaning, value=row[column])
