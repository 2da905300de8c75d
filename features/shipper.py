"""Brings the whole files of a spool to S3 and deletes them."""

import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from features import spool_file
from features.objects import FeatureObjects

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

    async def step(self) -> None:
        """Ship what is there now, the oldest first. Raises what `patiently` raises."""
        for path in sorted(self._directory.glob(f"*{spool_file.CLOSED}")):
            await self._ship(path)

    async def _ship(self, path: Path) -> None:
        try:
            header, ids, matrix = spool_file.read(path)
        except spool_file.CorruptFile as error:
            log.error("%s is set aside: %s", path.name, error)
            _set_aside(path)
            return
        await self._patiently(
            lambda: self._objects.put_file(path.stem, header.model, header.version, ids, matrix)
        )
        os.unlink(path)  # noqa: PTH108  # a moment on a local disk


def _set_aside(path: Path) -> None:
    path.rename(path.with_suffix(BAD))
