"""What time does to requests: they expire, get stuck, and run out of attempts.

All unfinished ones are of the last days, so no sweep looks at others.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from bus.outages import for_each
from bus.sqs import Queue
from contract.days import MAX_TTL, Ids, newest_first, unfinished_since
from contract.errors import AttemptsExhausted
from contract.logs import about
from database import named_sql
from relay.completions import count, fail, finish
from relay.metrics import REARMED

log = logging.getLogger(__name__)

_SQL = named_sql.load("relay")

LIMIT = 500
"""Requests of a transaction."""


class Sweeps:
    """Looks for requests that nobody else will move. Run `step` every few seconds."""

    def __init__(
        self,
        *,
        pool: AsyncConnectionPool,
        responses: Queue,
        model_queue: Callable[[str], Queue],
        max_attempts: int,
        rearm_after_s: float,
        lost_after_s: float,
        on_rearmed: Callable[[], None],
    ) -> None:
        """on_rearmed: called after a commit that put requests back into the outbox."""
        self._pool = pool
        self._responses = responses
        self._model_queue = model_queue
        self._max_attempts = max_attempts
        self._rearm_after_s = rearm_after_s
        self._lost_after_s = lost_after_s
        self._on_rearmed = on_rearmed

    async def step(self) -> None:
        """Expire what is due, then move what is stuck, model by model."""
        async with self._pool.connection() as connection:
            await _expire(connection, Ids(since=unfinished_since()))
        await for_each(await self._stuck_models(), self._unstick)

    async def rearm(self, model: str, *, age_s: float, ids: list[str] | None = None) -> None:
        """Have requests published again that went to the bus age_s ago and have no live lease.

        ids: only these. Those without attempts left are not among them.
        """
        parameters = {
            "model": model,
            "since": unfinished_since(),
            "age_s": age_s,
            "ids": ids,
            "max_attempts": self._max_attempts,
            "limit": LIMIT,
        }
        async with self._pool.connection() as connection:
            rearmed = (await connection.execute(_SQL["rearm"], parameters)).rowcount
        if rearmed:
            REARMED.labels(model).inc(rearmed)
            log.info("%d of %s are to be published again", rearmed, model)
            self._on_rearmed()

    async def _stuck_models(self) -> list[str]:
        async with self._pool.connection() as connection:
            parameters = {"since": unfinished_since(), "age_s": self._rearm_after_s}
            rows = await _fetch(connection, "stuck_models", parameters)
        return [model for (model,) in rows]

    async def _unstick(self, model: str) -> None:
        # A message that still waits will bring the answer, or the work, by itself; so will an
        # answer that a relay has in hand.
        with about(model=model):
            answers = await self._responses.size()
            await self._exhaust(model, age_s=self._age_s(answers))
            work = answers or await self._model_queue(model).depth()
            await self.rearm(model, age_s=self._age_s(work))

    def _age_s(self, messages_waiting: int) -> float:
        return self._lost_after_s if messages_waiting else self._rearm_after_s

    async def _exhaust(self, model: str, *, age_s: float) -> None:
        parameters = {
            "model": model,
            "since": unfinished_since(),
            "age_s": age_s,
            "max_attempts": self._max_attempts,
            "limit": LIMIT,
        }
        async with self._pool.connection() as connection:
            rows = await _fetch(connection, "lock_exhausted", parameters)
            failed = await fail(
                connection, {id: AttemptsExhausted(attempts) for id, attempts in rows}
            )
        count(failed)
        if rows:
            log.warning("%d of %s failed: no attempts left", len(rows), model)


async def expire_left_behind(connection: AsyncConnection[TupleRow]) -> None:
    """Expire what the steps do not see: unfinished requests that are too old to be any more.

    Such as those of a time without a relay, or of a gateway whose clock was wrong. connection: one
    that ends then, since PostgreSQL keeps for its length what it knows of each day.
    """
    for ids in newest_first(Ids(until=unfinished_since())):
        await _expire(connection, ids)


async def _expire(connection: AsyncConnection[TupleRow], ids: Ids) -> None:
    """Give up what is due among ids, in as many transactions as it takes."""
    parameters = {**ids._asdict(), "max_ttl": MAX_TTL, "limit": LIMIT}
    while True:
        async with connection.transaction():
            expired = await finish(connection, "expire", parameters)
        count(expired)
        if expired:
            log.info("%d requests expired", len(expired))
        if len(expired) < LIMIT:
            return


async def _fetch(
    connection: AsyncConnection[TupleRow], query: str, parameters: Mapping[str, Any]
) -> list[TupleRow]:
    return await (await connection.execute(_SQL[query], parameters)).fetchall()
