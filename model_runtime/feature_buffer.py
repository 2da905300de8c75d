"""Features of answers that must not wait for S3: gathered in memory, written soon after."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Self

from model_runtime.abstract_model import FloatArray
from model_runtime.features import FeatureBatch, FeatureStore
from model_runtime.outages import Retry, Stopping

log = logging.getLogger(__name__)

BATCH_ROWS = 4096
BATCH_AGE_S = 1.0
MAX_ROWS = 65_536
"""Rows in memory while S3 is away; further ones are not kept."""


class FeatureBuffer:
    """Keeps features in the background; open with `async with`, whose end writes the rest."""

    def __init__(self, *, store: FeatureStore, retry: Retry) -> None:
        self._store = store
        self._retry = retry
        self._open: dict[str, FeatureBatch] = {}
        self._closed: asyncio.Queue[FeatureBatch | None] = asyncio.Queue()
        self._rows = 0
        self._dropped_rows = 0

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *_: object) -> None:
        for batch in list(self._open.values()):
            self._close(batch)
        self._closed.put_nowait(None)
        await self._writer
        if self._dropped_rows:
            log.warning("features of %d predictions were not kept", self._dropped_rows)

    async def keep(self, version: str, ids: Sequence[str], features: FloatArray) -> list[str]:
        """Take the rows; answers where they will lie, or "" for each if there is no room."""
        if self._rows + len(ids) > MAX_ROWS:
            return self._drop(len(ids))
        self._rows += len(ids)
        batch = self._open.get(version) or self._new_batch(version)
        places = batch.append(ids, features)
        if len(batch.ids) >= BATCH_ROWS:
            self._close(batch)
        return places

    def _new_batch(self, version: str) -> FeatureBatch:
        batch = self._open[version] = self._store.new_batch(version)
        asyncio.get_running_loop().call_later(BATCH_AGE_S, self._close, batch)
        return batch

    def _close(self, batch: FeatureBatch) -> None:
        if self._open.get(batch.version) is batch:
            del self._open[batch.version]
            self._closed.put_nowait(batch)

    def _drop(self, rows: int) -> list[str]:
        if self._dropped_rows == 0:
            log.warning("S3 is away for too long: features are no longer kept")
        self._dropped_rows += rows
        return [""] * rows

    async def _write(self) -> None:
        while (batch := await self._closed.get()) is not None:
            try:
                await self._retry(partial(self._store.put, batch))
            except Stopping:
                self._dropped_rows += len(batch.ids)
            self._rows -= len(batch.ids)
