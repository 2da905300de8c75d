"""Brings the whole files of a spool to S3 and deletes them."""

import logging
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from features import spool_file
from features.errors import FeaturesRefused
from features.metrics import SHIPPED_OBJECTS, SHIPPED_ROWS
from features.objects import PUT, FeatureObjects
from features.pauses import Pauses
from features.places import MAX_AGE, file_time, object_key
from telemetry.spans import Kind, span

log = logging.getLogger(__name__)

BAD = ".bad"


class Shipper:
    """Looks into one folder again and again. Run `step` every moment."""

    def __init__(
        self,
        directory: Path,
        *,
        objects: FeatureObjects,
        patiently: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]],
    ) -> None:
        """patiently: calls until S3 is there; raises when it is time to stop."""
        self._directory = directory
        self._objects = objects
        self._patiently = patiently
        self._pauses = Pauses()

    async def step(self) -> None:
        """Ship what is there now, the oldest first. Raises what `patiently` raises.

        A file that cannot be shipped while others can is passed over, and tried again later. One
        that is older than MAX_AGE is deleted: what was erased meanwhile is in it.
        """
        self._forget_bad()
        paths = sorted(self._directory.glob(f"*{spool_file.CLOSED}"))
        self._pauses.keep(path.name for path in paths)
        for path in paths:
            if self._pauses.is_due(path.name):
                await self._patiently(partial(self._try, path))

    async def _try(self, path: Path) -> None:
        try:
            await self._ship(path)
        except (FeaturesRefused, OSError) as error:
            if self._pauses.failed(path.name):
                log.error("%s waits, others go on: %s", path.name, error)

    async def _ship(self, path: Path) -> None:
        try:
            header, ids, matrix = spool_file.read(path)
            key = object_key(header.model, header.version, path.stem)
        except ValueError as error:
            log.error("%s is set aside: %s", path.name, error)
            _set_aside(path)
            return
        if datetime.now(UTC) - file_time(path.stem) > MAX_AGE:
            log.error("%s is deleted: S3 did not take it in %d days", path.name, MAX_AGE.days)
            os.unlink(path)  # noqa: PTH108  # a moment on a local disk
            return
        with span("put features", Kind.CLIENT, attributes=PUT):
            await self._objects.put_file(key, header.version, ids, matrix)
        SHIPPED_ROWS.inc(len(ids))
        SHIPPED_OBJECTS.inc()
        os.unlink(path)  # noqa: PTH108  # a moment on a local disk

    def _forget_bad(self) -> None:
        """What was set aside is there to be looked at, and for no longer than anything else."""
        for path in self._directory.glob(f"*{BAD}"):
            if time.time() - path.stat().st_mtime > MAX_AGE.total_seconds():
                path.unlink()


def _set_aside(path: Path) -> None:
    path.rename(path.with_suffix(BAD))
