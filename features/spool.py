"""Keeps feature rows on this machine's disk until the shipper has brought them to S3.

Whoever answers appends; one thread writes. A file is closed after a second or 4,096 rows, so that
a killed process loses at the most the rows of the last second.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from contract.ids import uuid7
from features import spool_lock
from features.places import place_prefix
from features.room import Room
from features.spool_file import Header
from features.spool_writer import Rows, SpoolFile, SpoolWriter

FILE_ROWS = 4096
FILE_AGE_S = 1.0


@dataclass(slots=True)
class _Begun:
    """A file that takes rows."""

    file: SpoolFile
    place: str
    """The start of its rows' places."""
    rows: int = 0


class Spool:
    """The spool of one process; open with `async with`, whose end closes all files."""

    def __init__(self, directory: Path, *, bucket: str, max_bytes: int) -> None:
        """directory: of this process alone. max_bytes: about what may wait and lie in it."""
        self._directory = directory
        self._bucket = bucket
        self._begun: dict[Header, _Begun] = {}
        self._room = Room(directory, max_bytes)
        self._writer = SpoolWriter(directory, self._room)

    async def __aenter__(self) -> Self:
        """Raises OSError if the folder cannot be had, SpoolInUse if another process has it."""
        self._loop = asyncio.get_running_loop()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = await spool_lock.lock(self._directory)
        self._writer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for begun in list(self._begun.values()):
            self._close(begun)
        await asyncio.to_thread(self._writer.end)
        self._lock.close()

    @property
    def bytes(self) -> int:
        """What waits and lies in it."""
        return self._room.bytes

    def append(
        self, model: str, version: str, ids: Sequence[str], matrix: npt.NDArray[np.float32]
    ) -> list[str]:
        """Take rows; answers where each will lie in S3, or "" for each if they cannot be kept.

        ids: of predictions that have answers. matrix: (n, d), a row for each.
        """
        header = Header(model, version, matrix.shape[1])
        size = len(ids) * header.row_bytes
        if not self._room.take(size):
            return [""] * len(ids)
        begun = self._begun.get(header)
        if begun is None or begun.file.is_broken:
            begun = self._begin(header)
        first = begun.rows
        begun.rows += len(ids)
        self._writer.write(Rows(begun.file, ids, matrix, size))
        if begun.rows >= FILE_ROWS:
            self._close(begun)
        return [f"{begun.place}{row}" for row in range(first, begun.rows)]

    def _begin(self, header: Header) -> _Begun:
        """A new file, in place of the one before."""
        if header in self._begun:
            self._close(self._begun[header])
        file_id = uuid7()
        place = place_prefix(self._bucket, header.model, header.version, file_id)
        begun = self._begun[header] = _Begun(SpoolFile(file_id, header), place)
        self._loop.call_later(FILE_AGE_S, self._close, begun)
        return begun

    def _close(self, begun: _Begun) -> None:
        header = begun.file.header
        if self._begun.get(header) is begun:
            del self._begun[header]
            self._writer.finish(begun.file)
