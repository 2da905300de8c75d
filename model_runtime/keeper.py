"""Keeps claimed requests ours for as long as the work on them takes."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bus.errors import BusUnavailable
from bus.outages import OUTAGES, Retry, Stopping
from bus.sqs import Queue
from model_runtime.claims import Claims
from model_runtime.metrics import CLAIMS_LOST
from model_runtime.work import Work

log = logging.getLogger(__name__)


class Keeper:
    """Renews leases and the invisibility of messages, and gives both back."""

    def __init__(
        self, *, model: str, claims: Claims, queue: Queue, lease_s: int, store: Retry
    ) -> None:
        self._model = model
        self._claims = claims
        self._queue = queue
        self._lease_s = lease_s
        self._store = store

    @asynccontextmanager
    async def keeping(self, work: Work) -> AsyncIterator[None]:
        """Within the block, renew every third of a lease."""
        heartbeat = asyncio.create_task(self._beat(work))
        try:
            yield
        finally:
            heartbeat.cancel()

    async def renew(self, work: Work) -> None:
        """Renew now. What was cancelled, expired or taken over leaves the work. Raises Stopping."""
        ours = len(work.claims)
        work.keep(await self._store(lambda: self._claims.extend(work.claims.values())))
        CLAIMS_LOST.labels(self._model).inc(ours - len(work.claims))
        try:
            await self._queue.set_visibility(work.held_receipts(), self._lease_s)
        except BusUnavailable:
            # The claims alone keep the work from being done twice.
            log.debug("messages were not kept hidden: the queue is away")

    async def give_back(self, work: Work, *, pause_s: int = 0) -> None:
        """Let others have the work in pause_s seconds.

        If that fails, they have it when the lease ends. The lease goes on for the pause, so that
        the relay does not take the requests for lost and publish them again.
        """
        try:
            if work.claims:
                await self._claims.release(
                    work.claims.values(), pause_s=pause_s, untried=not work.asked
                )
            await self._queue.set_visibility(work.all_receipts(), pause_s)
        except OUTAGES as error:
            log.warning("%d requests are ours until their lease ends: %s", len(work.claims), error)
        else:
            log.info("%d requests were given back", len(work.deliveries))

    async def _beat(self, work: Work) -> None:
        with suppress(Stopping):
            while True:
                await asyncio.sleep(self._lease_s / 3)
                await self.renew(work)
