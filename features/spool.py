"""Keeps feature rows on this machine's disk until the shipper has brought them to S3.

Whoever answers appends; one thread writes. A file is closed after a second or 4,096 rows, so that
a killed process loses at the most the rows of the last second.
"""

import asyncio
import errno
import logging
import os
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from contract.ids import uuid7
from features import spool_file
from features.places import place_prefix
from features.spool_file import Header

log = logging.getLogger(__name__)

FILE_ROWS = 4096
FILE_AGE_S = 1.0
MAX_QUEUED = 4096
"""Batches that wait for the writer; what comes while it is so far behind is not kept."""
SCAN_S = 1.0


@dataclass(slots=True)
class _File:
    """A file that rows are appended to."""

    id: str
    header: Header
    place: str
    """The start of its rows' places."""
    rows: int = 0
    stream: BinaryIO | None = None
    """The writer's."""
    is_broken: bool = False
    """A row could not be written: what follows is dropped."""


class _Rows(NamedTuple):
    file: _File
    ids: Sequence[str]
    matrix: npt.NDArray[np.float32]


class Spool:
    """The spool of one process; open with `async with`, whose end closes all files."""

    def __init__(self, directory: Path, *, bucket: str, max_bytes: int) -> None:
        """directory: of this process alone. max_bytes: about what may lie in it."""
        self._directory = directory
        self._bucket = bucket
        self._max_bytes = max_bytes
        self._used_bytes = 0
        self._dropping = False
        self._files: dict[Header, _File] = {}
        self._queue: queue.SimpleQueue[_Rows | _File | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="features", daemon=True)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._directory.glob(f"*{spool_file.OPEN}"):  # by a process that was killed
            spool_file.close(self._directory, left.stem)
        self._scan()
        self._writer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for file in list(self._files.values()):
            self._close(file)
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join)

    def append(
        self, model: str, version: str, ids: Sequence[str], matrix: npt.NDArray[np.float32]
    ) -> list[str]:
        """Take rows; answers where each will lie in S3, or "" for each if there is no room.

        ids: of predictions that have answers. matrix: (n, d), a row for each.
        """
        header = Header(model, version, matrix.shape[1])
        size = len(ids) * header.row_bytes
        if self._used_bytes + size > self._max_bytes or self._queue.qsize() >= MAX_QUEUED:
            return self._drop(len(ids))
        self._used_bytes += size
        file = self._files.get(header) or self._begin(header)
        first = file.rows
        file.rows += len(ids)
        self._queue.put(_Rows(file, ids, matrix))
        if file.rows >= FILE_ROWS:
            self._close(file)
        return [f"{file.place}{row}" for row in range(first, first + len(ids))]

    def _begin(self, header: Header) -> _File:
        file_id = uuid7()
        place = place_prefix(self._bucket, header.model, header.version, file_id)
        file = self._files[header] = _File(file_id, header, place)
        self._loop.call_later(FILE_AGE_S, self._close, file)
        return file

    def _close(self, file: _File) -> None:
        if self._files.get(file.header) is file:
            del self._files[file.header]
            self._queue.put(file)

    def _drop(self, rows: int) -> list[str]:
        if not self._dropping:
            self._dropping = True
            log.warning("the spool is full: features are not kept until some have left it")
        return [""] * rows

    def _write_all(self) -> None:
        """The thread: rows into their files, in the order in which they came."""
        scanned = time.monotonic()
        while True:
            try:
                work = self._queue.get(timeout=SCAN_S)
            except queue.Empty:
                work = _NOTHING
            if work is None:
                return
            if isinstance(work, _Rows):
                self._write(work)
            elif work is not _NOTHING:
                self._finish(work)
            if time.monotonic() - scanned >= SCAN_S:
                self._scan()
                scanned = time.monotonic()

    def _write(self, work: _Rows) -> None:
        file = work.file
        if file.is_broken:
            return
        try:
            if file.stream is None:
                file.stream = spool_file.create(self._directory, file.id, file.header)
            rows = spool_file.encode(work.ids, work.matrix)
            if file.stream.write(rows) != len(rows):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            # Further rows would not lie where their places say.
            file.is_broken = True
            log.error("features are lost: %s", error.strerror)
            self._used_bytes = self._max_bytes  # until the next look at the folder

    def _finish(self, file: _File) -> None:
        if file.stream is None:
            return
        try:
            file.stream.close()
            spool_file.close(self._directory, file.id)
        except OSError as error:
            log.error("features are lost: %s", error.strerror)

    def _scan(self) -> None:
        """Learn how much of the folder has been shipped."""
        used = 0
        for path in self._directory.iterdir():
            try:
                used += path.stat().st_size
            except FileNotFoundError:
                continue  # just shipped
        self._used_bytes = used
        if self._dropping and used < self._max_bytes:
            self._dropping = False
            log.info("the spool has room again")


_NOTHING = _File("", Header("", "", 0), "")
