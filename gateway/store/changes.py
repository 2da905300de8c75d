"""What the database tells of: changed predictions and a changed catalog.

Notifications are a hint. Everybody who waits looks again after a lost connection, and every few
seconds besides. The same looks tell whether the database answers.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager

import psycopg

from database.connections import bounded
from gateway.store import catalog

log = logging.getLogger(__name__)

RECHECK_S = 2.0
SILENCE_S = 5.0
"""Without an answer for so long, the database is away."""


class Changes:
    """Listens to the database on a connection of its own; to be made when it has just answered."""

    def __init__(
        self, *, refresh_catalog: Callable[[psycopg.AsyncConnection], Awaitable[None]]
    ) -> None:
        self._refresh_catalog = refresh_catalog
        self._clock = asyncio.get_running_loop().time
        self._answered: float | None = self._clock()
        """When the database answered last; None while there is no connection to it."""
        self.ended = False
        """Whether nobody is to wait any more."""
        self._watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def watch(self, prediction_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the prediction may have changed."""
        changed = asyncio.Event()
        self._watchers[prediction_id].add(changed)
        try:
            yield changed
        finally:
            self._watchers[prediction_id].discard(changed)
            if not self._watchers[prediction_id]:
                del self._watchers[prediction_id]

    def end(self) -> None:
        """Wake all who wait, for good."""
        self.ended = True
        self._wake(list(self._watchers))

    def is_heard(self) -> bool:
        """Whether the database answers, on a connection that is busy with nothing else."""
        return self._answered is not None and self._clock() - self._answered < SILENCE_S

    async def run(self) -> None:
        """Listen until cancelled; reconnect when the connection is lost."""
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                log.warning("no notifications from the database: %s", type(error).__name__)
            except Exception:  # a gateway that hears nothing would be wrong for good
                log.exception("a change could not be taken in")
            self._answered = None
            await asyncio.sleep(0.5)

    async def _listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(bounded(), autocommit=True)
        async with connection:
            await connection.execute("LISTEN prediction_changed")
            await connection.execute(f"LISTEN {catalog.CHANGED}")
            while True:
                await self._recheck(connection)
                async with aclosing(connection.notifies(timeout=RECHECK_S)) as notices:
                    async for notice in notices:
                        if notice.channel == catalog.CHANGED:
                            break  # the recheck reads it, and makes up for what is passed over
                        self._wake(notice.payload.split(","))

    async def _recheck(self, connection: psycopg.AsyncConnection) -> None:
        await self._refresh_catalog(connection)
        self._answered = self._clock()
        self._wake(list(self._watchers))

    def _wake(self, prediction_ids: list[str]) -> None:
        for prediction_id in prediction_ids:
            for changed in self._watchers.get(prediction_id, ()):
                changed.set()
