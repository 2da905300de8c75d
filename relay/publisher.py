"""The outbox to the topic: requests within the bound on work in flight, then completions."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row
from psycopg_pool import AsyncConnectionPool

from bus.events import Envelope
from bus.outages import sleep
from bus.sending import send
from bus.sns import Outcome, Topic
from contract.days import unfinished_since
from contract.errors import Undeliverable
from contract.logs import about
from database import named_sql
from relay.completions import Ending, count, fail
from relay.metrics import PUBLISHED, REJECTED
from telemetry.trace_context import parse

log = logging.getLogger(__name__)

_SQL = named_sql.load("relay")

REQUESTS = 200
"""Of a transaction: what a crash may have published twice."""
COMPLETIONS = 30
"""Of a transaction: few, since new requests wait for them."""
SEALED = 1000
"""Completions that are looked at together, to make few of them."""
MAX_REJECTIONS = 3


@dataclass(frozen=True)
class Row:
    """An event of the outbox that this relay has locked."""

    id: str
    event: str
    model: str
    version: str
    body: str
    prediction_id: str | None
    """Of a request; None if it names none, and for completions."""
    wanted: bool
    """False for a request that is finished already."""
    traceparent: str | None
    links: list[str] | None

    @property
    def envelope(self) -> Envelope:
        return Envelope(
            self.id,
            self.event,
            self.model,
            self.version,
            self.body,
            self.traceparent,
            self.links or (),
            self.prediction_id,
        )


@dataclass(frozen=True)
class _Done:
    """What became of rows in a transaction."""

    rows: Sequence[Row] = ()
    outcome: Outcome = field(default_factory=Outcome)
    rejected: Sequence[Row] = ()
    """Those that the bus has rejected too often."""
    endings: Sequence[Ending] = ()
    """Of their requests."""


class Publisher:
    """Moves events from the outbox to the topic; an event is deleted once the bus has it.

    A crash between the two publishes it again. Run `step` again and again.
    """

    def __init__(
        self, *, pool: AsyncConnectionPool, topic: Topic, max_in_flight: int, poll_s: float
    ) -> None:
        self._pool = pool
        self._topic = topic
        self._max_in_flight = max_in_flight
        self._poll_s = poll_s
        self._woken = asyncio.Event()
        self._completions_due = 0.0
        self._rejections: Counter[str] = Counter()

    def wake(self) -> None:
        """Look at the outbox now: there may be new requests, or room for waiting ones."""
        self._woken.set()

    async def step(self) -> None:
        """Publish some of what there is; wait if that was all."""
        self._woken.clear()
        requests = await self._publish_requests()
        # Completions go in groups, since each call costs the same for 1 and for 10.
        if time.monotonic() >= self._completions_due:
            completions = await self._publish_completions()
            if completions < COMPLETIONS:
                self._completions_due = time.monotonic() + self._poll_s
        if requests == 0 and time.monotonic() < self._completions_due:
            await sleep(self._poll_s, self._woken)

    async def _publish_requests(self) -> int:
        async with self._pool.connection() as connection:
            async with connection.cursor(row_factory=scalar_row) as cursor:
                await cursor.execute(_SQL["lock_models"])
                models = await cursor.fetchall()
            if not models:
                return 0
            parameters = {
                "models": models,
                "since": unfinished_since(),
                "max_in_flight": self._max_in_flight,
                "limit": REQUESTS,
            }
            rows = await _claim(connection, "claim_requests", parameters)
            done = await self._publish(connection, rows)
        return self._settle(done)

    async def _publish_completions(self) -> int:
        async with self._pool.connection() as connection:
            # In a transaction of its own: what is published twice has the same id twice.
            await connection.execute(_SQL["seal_completions"], {"limit": SEALED})
        async with self._pool.connection() as connection:
            rows = await _claim(connection, "claim_completions", {"limit": COMPLETIONS})
            done = await self._publish(connection, rows)
        return self._settle(done)

    async def _publish(self, connection: AsyncConnection[Any], rows: Sequence[Row]) -> "_Done":
        """Publish locked rows; those that are done with leave the outbox at the commit."""
        if not rows:
            return _Done()
        outcome = await send(self._topic, [row.envelope for row in rows if row.wanted])
        # Counted by each relay for itself.
        self._rejections.update(outcome.rejected.keys())
        hopeless = {id for id in outcome.rejected if self._rejections[id] >= MAX_REJECTIONS}
        unwanted = {row.id for row in rows if not row.wanted}
        gone = outcome.published | hopeless | unwanted
        await connection.execute(_SQL["delete_events"], {"ids": list(gone)})
        published = [row.prediction_id for row in rows if row.id in outcome.published]
        await connection.execute(
            _SQL["mark_published"], {"ids": [id for id in published if id is not None]}
        )
        rejected = [row for row in rows if row.id in hopeless]
        endings = await fail(
            connection,
            {row.prediction_id: Undeliverable() for row in rejected if row.prediction_id},
        )
        return _Done(rows, outcome, rejected, endings)

    def _settle(self, done: "_Done") -> int:
        """Count and log what is committed now; answers with how many rows there were.

        Raises BusUnavailable if the bus has not taken all of them.
        """
        for row in done.rows:
            if row.id in done.outcome.published:
                PUBLISHED.labels(row.event).inc()
        for row in done.rejected:
            del self._rejections[row.id]
            REJECTED.labels(row.event).inc()
            trace = parse(row.traceparent)
            with about(
                prediction_id=row.prediction_id or "",
                model=row.model,
                version=row.version,
                trace_id=trace.trace_id if trace else "",
            ):
                log.error("set event %s aside: %s", row.id, done.outcome.rejected[row.id])
        count(done.endings)
        if done.outcome.failure is not None:
            raise done.outcome.failure
        return len(done.rows)


async def _claim(
    connection: AsyncConnection[Any], query: str, parameters: Mapping[str, Any]
) -> list[Row]:
    async with connection.cursor(row_factory=class_row(Row)) as cursor:
        await cursor.execute(_SQL[query], parameters)
        return await cursor.fetchall()
