"""Claimed requests, and keeping them ours for as long as the work on them takes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psycopg

from model_runtime.bus import BusUnavailable, Queue
from model_runtime.claims import Claim, Claims
from model_runtime.outages import Retry, Stopping

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Work:
    """A batch of requests with the receipts of the messages that brought them."""

    receipts: dict[str, list[str]]
    """By prediction id: a message may come more than once."""
    claims: dict[str, Claim] = field(default_factory=dict)
    """By prediction id: what is ours."""

    def take(self, claims: Sequence[Claim]) -> None:
        """From now on this work is what was claimed."""
        self.claims = {claim.prediction_id: claim for claim in claims}
        self.receipts = {key: self.receipts[key] for key in self.claims}

    def held(self, claims: Sequence[Claim]) -> list[Claim]:
        """Those that are still ours."""
        return [claim for claim in claims if claim.prediction_id in self.claims]

    def held_receipts(self) -> list[str]:
        """The receipts of what is still ours."""
        return [receipt for key in self.claims for receipt in self.receipts[key]]

    def all_receipts(self) -> list[str]:
        """Those of what was lost as well."""
        return [receipt for receipts in self.receipts.values() for receipt in receipts]


class Keeper:
    """Renews leases and the invisibility of messages, and gives both back."""

    def __init__(self, *, claims: Claims, queue: Queue, lease_s: int, store: Retry) -> None:
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
        kept = await self._store(lambda: self._claims.extend(work.claims.values()))
        work.claims = {key: claim for key, claim in work.claims.items() if key in kept}
        try:
            await self._queue.set_visibility(work.held_receipts(), self._lease_s)
        except BusUnavailable:
            # The claims alone keep the work from being done twice.
            log.debug("messages were not kept hidden: the queue is away")

    async def give_back(self, work: Work) -> None:
        """Let others have the work at once; if that fails, they have it when the lease ends."""
        try:
            if work.claims:
                await self._claims.release(work.claims.values())
            await self._queue.set_visibility(work.all_receipts(), 0)
        except (psycopg.Error, BusUnavailable) as exc:
            log.warning("%d requests stay ours until their lease ends: %s", len(work.receipts), exc)
        else:
            log.info("%d requests were given back", len(work.receipts))

    async def _beat(self, work: Work) -> None:
        with suppress(Stopping):
            while True:
                await asyncio.sleep(self._lease_s / 3)
                await self.renew(work)
