"""What waits, and how PostgreSQL fares: read now and then, and told whenever somebody asks.

While it cannot be read there is nothing to tell, rather than what was.
"""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg.errors import QueryCanceled
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from bus.errors import BusUnavailable
from bus.outages import OUTAGES
from bus.sqs import Queue
from bus.topology import Names, dead_letters
from contract.days import unfinished_since
from database import named_sql
from relay.metrics import begin

log = logging.getLogger(__name__)

_SQL = named_sql.load("relay")

PAUSE_S = 15.0
"""Between two looks."""
REST_S = 60.0
"""From a query that took too long to the next try: the database shall not be busy with it."""
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
        self._resting: dict[str, float] = {}
        """Queries that took too long, until when."""
        self._unread: set[str] = set()
        """Queues that cannot be read, which was logged."""

    async def step(self) -> None:
        """Read all of it, but what takes too long or may not be read."""
        try:
            models = [row["id"] for row in await self._rows("models")]
            metrics = await self._read_database()
            metrics += await self._read_queues(models)
        except OUTAGES:
            self._metrics = []
            raise
        for model in models:
            begin(model)
        self._metrics, self._stale = metrics, time.monotonic() + _STALE_S

    def collect(self) -> Iterator[Metric]:
        """The metrics as they were read last."""
        if time.monotonic() < self._stale:
            yield from self._metrics

    async def _read_database(self) -> list[Metric]:
        requests = await self._rows("request_figures", since=unfinished_since())
        return [
            *_outbox(await self._rows("outbox_figures")),
            *_requests(requests),
            *_database(await self._rows("database_figures")),
        ]

    async def _rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """None while the query takes too long, which is no outage."""
        if time.monotonic() < self._resting.get(query, 0.0):
            return []
        try:
            async with (
                self._pool.connection() as connection,
                connection.cursor(row_factory=dict_row) as cursor,
            ):
                await cursor.execute(_SQL["limit_figures"])
                await cursor.execute(_SQL[query], parameters)
                rows = await cursor.fetchall()
        except QueryCanceled:
            if query not in self._resting:
                log.warning("%s takes too long, and is not told", query)
            self._resting[query] = time.monotonic() + REST_S
            return []
        if self._resting.pop(query, None):
            log.info("%s is told again", query)
        return rows

    async def _read_queues(self, models: list[str]) -> list[Metric]:
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
                if counts := await self._counts(name):
                    messages.add_metric((name, "visible"), counts[0])
                    messages.add_metric((name, "in_flight"), counts[1])
                if counts := await self._counts(dead_letters(name)):
                    dead.add_metric((name,), sum(counts))
            except BusUnavailable:
                break  # the others would be waited for as long
        return [messages, dead]

    async def _counts(self, name: str) -> tuple[int, int] | None:
        """None of a queue that is not there or may not be read. Raises BusUnavailable if SQS is
        away.
        """
        try:
            counts = await self._open_queue(name).counts()
        except BusUnavailable as error:
            if not error.is_refusal:
                raise
            if name not in self._unread and not str(error).endswith(_NO_QUEUE):
                log.warning("the queue %s cannot be read: %s", name, error)
                self._unread.add(name)
            return None
        self._unread.discard(name)
        return counts


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


def _database(rows: list[dict[str, Any]]) -> Iterator[Metric]:
    for row in rows:
        yield from _server(row)


def _server(row: dict[str, Any]) -> Iterator[Metric]:
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
