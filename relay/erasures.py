"""Features of erased predictions: out of the objects that they lie in.

An erasure is a row until its object is seen without what is to go. After it was rewritten it is
looked at once more, when whoever has written it at the same time must be done: there are servers of
S3 that know no conditional writes.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from database import named_sql
from features.erasure import FeatureErasure, Found
from features.errors import FeaturesRefused, FeaturesUnavailable
from features.places import MAX_AGE, ObjectPlace, file_time, place_of

log = logging.getLogger(__name__)

_SQL = named_sql.load("relay")

LIMIT = 200
"""Erasures that are taken together."""
AT_ONCE = 2
"""Objects that are in memory: each may have some 4,000 rows."""
CLOCKS_DIFFER = timedelta(days=1)
SETTLED_S = 600.0
"""From a rewrite to the look that shows that it has stayed; longer than a shipper's pauses."""
LATER_S = 60.0
"""The first pause for an object that is not there, or is refused."""


@dataclass(frozen=True)
class Erasure:
    """What is to be erased from an object."""

    id: str
    """Of the prediction."""
    features_uri: str
    create_time: datetime


class Erasures:
    """Run `step` every moment; what it did not finish is due again in five minutes."""

    def __init__(self, *, pool: AsyncConnectionPool, features: FeatureErasure) -> None:
        self._pool = pool
        self._features = features
        self._away = False
        """Logged, and not over yet."""

    async def step(self) -> None:
        """See to some of what is due; while S3 is away, nothing waits for it."""
        by_place: defaultdict[ObjectPlace | None, list[Erasure]] = defaultdict(list)
        for erasure in await self._claim():
            by_place[place_of(erasure.features_uri)].append(erasure)
        if not by_place:
            return
        slots = asyncio.Semaphore(AT_ONCE)
        outages: list[FeaturesUnavailable] = []

        async def see_to(place: ObjectPlace | None, erasures: Sequence[Erasure]) -> None:
            async with slots:
                if outages:
                    return  # it would wait as long
                try:
                    await self._see_to(place, erasures)
                except FeaturesUnavailable as error:
                    outages.append(error)

        await asyncio.gather(*(see_to(*item) for item in by_place.items()))
        if outages and not self._away:
            log.warning("erasures: waiting for S3: %s", outages[0])
        elif self._away and not outages:
            log.info("erasures: S3 is back")
        self._away = bool(outages)

    async def _claim(self) -> list[Erasure]:
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Erasure)) as cursor,
        ):
            await cursor.execute(_SQL["claim_erasures"], {"limit": LIMIT})
            return await cursor.fetchall()

    async def _see_to(self, place: ObjectPlace | None, erasures: Sequence[Erasure]) -> None:
        ids = [erasure.id for erasure in erasures]
        if place is None:
            log.error("%s are not erased: their features_uri is no place", ", ".join(ids))
            await self._postpone(ids, LATER_S)
            return
        try:
            found = await self._features.erase(place, ids)
        except FeaturesRefused as error:
            log.error("%s keeps rows that are to be erased: %s", place.key, error)
            await self._postpone(ids, LATER_S)
        else:
            if found is Found.REWRITTEN:
                log.info("%s was rewritten without %d of its rows", place.key, len(ids))
                await self._postpone(ids, SETTLED_S)
            elif found is Found.CLEAN or _is_lost(place, erasures):
                await self._delete(ids)
            else:
                await self._postpone(ids, LATER_S)

    async def _postpone(self, ids: Sequence[str], pause_s: float) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(
                _SQL["postpone_erasures"], {"ids": list(ids), "pause_s": pause_s}
            )

    async def _delete(self, ids: Sequence[str]) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(_SQL["delete_erasures"], {"ids": list(ids)})


def _is_lost(place: ObjectPlace, erasures: Sequence[Erasure]) -> bool:
    """Whether an object that is not there will not come: nothing ships a file that is so old."""
    try:
        begun = file_time(place.key.rpartition("/")[2].removesuffix(".parquet"))
    except ValueError:  # a worker of others named it
        begun = max(erasure.create_time for erasure in erasures)
    return datetime.now(UTC) - begun > MAX_AGE + CLOCKS_DIFFER
