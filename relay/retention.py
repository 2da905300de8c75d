"""What is kept no longer goes: predictions of each model by its days, and their features.

By whole days, so that a day that no model wants is dropped. Features are listed and not looked up,
so that those go too whose predictions were never recorded, and those of models that are gone.
"""

import logging
import time
from datetime import date
from typing import Any

from psycopg import AsyncConnection, errors
from psycopg.rows import scalar_row

from database import named_sql
from features.aging import FeatureAging
from features.errors import FeaturesUnavailable
from relay.connections import connect

log = logging.getLogger(__name__)

_SQL = named_sql.load("relay")

LIMIT = 1000
"""Predictions of a transaction."""
TURN_S = 5.0
"""Of a step: others work too, and the end of the relay waits for it."""
REST_S = 3600.0
"""From when nothing is left to the next look."""


class Retention:
    """Run `step` every half minute. Relays beside each other do each other no harm."""

    def __init__(self, *, features: FeatureAging) -> None:
        self._features = features
        self._rests_until = 0.0
        self._forgotten: date | None = None
        """The day for which request_ids were."""
        self._away = False
        """That S3 is, was logged."""

    async def step(self) -> None:
        """Do a turn's worth of what is due."""
        if time.monotonic() < self._rests_until:
            return
        # A connection that ends then, since PostgreSQL keeps for its length what it knows of each
        # day.
        async with await connect() as connection:
            await connection.set_autocommit(True)
            connection.row_factory = scalar_row
            turn = _Turn()
            today = await _read(connection, "today")
            done = await self._clear_record(connection, today, turn)
            done &= await self._clear_features(connection, today, turn)
        if done:
            self._rests_until = time.monotonic() + REST_S

    async def _clear_record(
        self, connection: AsyncConnection[Any], today: date, turn: "_Turn"
    ) -> bool:
        """Whether nothing is left to do."""
        if self._forgotten != today:
            await connection.execute(_SQL["forget_request_ids"], {"today": today})
            self._forgotten = today
        cursor = await connection.execute(_SQL["days"], {"today": today})
        days = [{"day": day, "today": today} for day in await cursor.fetchall()]
        for day in days:
            while (left := await _read(connection, "clear_day", **day, limit=LIMIT)) == "MORE":
                if turn.is_over():
                    return False
            if left == "UNWANTED":
                try:
                    await connection.execute(_SQL["drop_day"], day)
                except (errors.LockNotAvailable, errors.DeadlockDetected):
                    log.info("%s cannot be dropped yet: the record is in use", day["day"])
                    return False  # to try the next one would keep others waiting anew
            if turn.is_over():
                return False
        return True

    async def _clear_features(
        self, connection: AsyncConnection[Any], today: date, turn: "_Turn"
    ) -> bool:
        """Whether nothing is left to do."""
        try:
            for model in await self._features.models():
                since = await _read(connection, "kept_since", model=model, today=today)
                for folder in await self._features.versions(model):
                    while await self._features.delete_before(since, folder):
                        if turn.is_over():
                            return False
        except FeaturesUnavailable as error:
            if not self._away:
                log.warning("old features are not deleted yet: %s", error)
            self._away = True
            return False
        self._away = False
        return True


class _Turn:
    def __init__(self) -> None:
        self._end = time.monotonic() + TURN_S

    def is_over(self) -> bool:
        return time.monotonic() >= self._end


async def _read(connection: AsyncConnection[Any], query: str, **parameters: Any) -> Any:
    return await (await connection.execute(_SQL[query], parameters)).fetchone()
