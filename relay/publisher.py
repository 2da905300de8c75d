"""The outbox to the topic: requests within the bound on work in flight, then completions."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row
from psycopg_pool import AsyncConnectionPool

from bus.errors import BusUnavailable
from bus.events import Envelope
from bus.outages import sleep
from bus.sending import send
from bus.sns import Outcome, Topic
from contract.days import unfinished_since
from contract.errors import Undeliverable
from contract.logs import about
from database import named_sql
from relay.completions import fail
from relay.metrics import PUBLISHED, REJECTED

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
            failure = await self.publish(connection, rows)
        return _size(rows, failure)

    async def _publish_completions(self) -> int:
        async with self._pool.connection() as connection:
            # In a transaction of its own: what is published twice has the same id twice.
            await connection.execute(_SQL["seal_completions"], {"limit": SEALED})
        async with self._pool.connection() as connection:
            rows = await _claim(connection, "claim_completions", {"limit": COMPLETIONS})
            failure = await self.publish(connection, rows)
        return _size(rows, failure)

    async def publish(
        self, connection: AsyncConnection[Any], rows: Sequence[Row]
    ) -> BusUnavailable | None:
        """Publish locked rows; those that are done with leave the outbox at the commit.

        Answers with what kept the bus from taking the others.
        """
        if not rows:
            return None
        outcome = await send(self._topic, [row.envelope for row in rows if row.wanted])
        hopeless = self._hopeless(outcome, rows)
        unwanted = {row.id for row in rows if not row.wanted}
        done = outcome.published | hopeless | unwanted
        await connection.execute(_SQL["delete_events"], {"ids": list(done)})
        published = [row for row in rows if row.id in outcome.published]
        ids = [row.prediction_id for row in published if row.prediction_id]
        await connection.execute(_SQL["mark_published"], {"ids": ids})
        for row in published:
            PUBLISHED.labels(row.event).inc()
        await fail(
            connection,
            {
                row.prediction_id: Undeliverable()
                for row in rows
                if row.id in hopeless and row.prediction_id
            },
        )
        return outcome.failure

    def _hopeless(self, outcome: Outcome, rows: Sequence[Row]) -> set[str]:
        """Events that the bus has rejected too often; counted by each relay for itself."""
        self._rejections.update(outcome.rejected.keys())
        hopeless = {id for id in outcome.rejected if self._rejections[id] >= MAX_REJECTIONS}
        for row in rows:
            if row.id in hopeless:
                del self._rejections[row.id]
                REJECTED.labels(row.event).inc()
                with about(
                    prediction_id=row.prediction_id or "", model=row.model, version=row.version
                ):
                    log.error("set event %s aside: %s", row.id, outcome.rejected[row.id])
        return hopeless


async def _claim(
    connection: AsyncConnection[Any], query: str, parameters: Mapping[str, Any]
) -> list[Row]:
    async with connection.cursor(row_factory=class_row(Row)) as cursor:
        await cursor.execute(_SQL[query], parameters)
        return await cursor.fetchall()


def _size(rows: Sequence[Row], failure: BusUnavailable | None) -> int:
    """How many rows there were; raises the failure, now that what was published is committed."""
    if failure is not None:
        raise failure
    return len(rows)
