"""The thread that writes a spool's rows into files, and looks after their folder."""

import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from features import spool_file
from features.room import Room
from features.spool_file import Header

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between looks at the folder."""
GATHER_S = 0.05
"""From what comes first to when it is written: to wake for each batch would take the interpreter
from whoever answers."""
PROBE = ".probe"
PROBE_BYTES = 1 << 20
"""What must fit before rows are taken again."""


@dataclass(slots=True)
class SpoolFile:
    """A file that rows are appended to."""

    id: str
    header: Header
    stream: BinaryIO | None = None
    """The thread's."""
    is_broken: bool = False
    """A row could not be written: what follows would not lie where its place says."""


class Rows(NamedTuple):
    """Rows for a file. matrix: (n, width), a row for each id; size: of the rows, in bytes."""

    file: SpoolFile
    ids: Sequence[str]
    matrix: npt.NDArray[np.float32]
    size: int


class SpoolWriter:
    """Writes the rows of each file in the order in which they came.

    An OSError shuts the room for a while.
    """

    def __init__(self, directory: Path, room: Room) -> None:
        self._directory = directory
        self._room = room
        self._unclosed: set[str] = set()
        """Ids of files that are written and could not be closed yet."""
        self._queue: queue.SimpleQueue[Rows | SpoolFile | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="features", daemon=True)

    def start(self) -> None:
        """Once nobody else writes: files that a killed process left open are closed first."""
        for left in self._directory.glob(f"*{spool_file.OPEN}"):
            self._close(left.stem)
        self._look()
        self._thread.start()

    def write(self, rows: Rows) -> None:
        """Append them to their file, whose size the room has taken."""
        self._queue.put(rows)

    def finish(self, file: SpoolFile) -> None:
        """Make a file whole."""
        self._queue.put(file)

    def end(self) -> None:
        """Return once all is done."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._write_until_end()
        except BaseException as error:  # a fault: nobody would write what is taken
            self._room.shut(f"its writer is dead: {type(error).__name__}")
            raise

    def _write_until_end(self) -> None:
        next_look = time.monotonic() + LOOK_S
        while True:
            works = self._gather()
            batches: defaultdict[str, list[Rows]] = defaultdict(list)  # by their file
            for work in works:
                if isinstance(work, Rows):
                    batches[work.file.id].append(work)
            for of_one_file in batches.values():
                self._write(of_one_file)
            for work in works:
                if isinstance(work, SpoolFile):
                    self._finish(work)  # nothing of it comes later
            if None in works:
                return
            if time.monotonic() >= next_look:
                self._look()
                next_look = time.monotonic() + LOOK_S

    def _gather(self) -> list[Rows | SpoolFile | None]:
        """What there is to do; nothing if nothing came for a while."""
        try:
            works = [self._queue.get(timeout=LOOK_S)]
        except queue.Empty:
            return []
        time.sleep(GATHER_S)
        with suppress(queue.Empty):
            while True:
                works.append(self._queue.get_nowait())
        return works

    def _write(self, batches: Sequence[Rows]) -> None:
        """Append batches to their one file."""
        file = batches[0].file
        if not file.is_broken:
            data = b"".join(spool_file.encode(batch.ids, batch.matrix) for batch in batches)
            try:
                if file.stream is None:
                    file.stream = spool_file.create(self._directory, file.id, file.header)
                spool_file.write(file.stream, data)
            except OSError as error:
                file.is_broken = True
                self._room.shut(error.strerror)
        for batch in batches:
            self._room.leave_queue(batch.size, written=not file.is_broken)

    def _finish(self, file: SpoolFile) -> None:
        if file.stream is None:
            return
        try:
            file.stream.close()
        except OSError as error:
            self._room.shut(error.strerror)
        self._close(file.id)

    def _close(self, file_id: str) -> None:
        """Now, or at a later look."""
        try:
            spool_file.close(self._directory, file_id)
        except FileNotFoundError:
            log.error("features are lost: %s is gone", file_id)
        except OSError as error:
            if file_id not in self._unclosed:
                log.error("%s cannot be closed yet: %s", file_id, error.strerror)
            self._unclosed.add(file_id)
            return
        self._unclosed.discard(file_id)

    def _look(self) -> None:
        """Learn how much of the folder has been shipped, and whether it can be written to."""
        try:
            if self._room.is_shut:
                self._probe()
            self._room.measured(self._measure())
        except OSError as error:
            self._room.shut(error.strerror)
        for file_id in list(self._unclosed):
            self._close(file_id)

    def _probe(self) -> None:
        path = self._directory / PROBE
        try:
            with path.open("wb", buffering=0) as file:
                spool_file.write(file, bytes(PROBE_BYTES))
        finally:
            path.unlink(missing_ok=True)

    def _measure(self) -> int:
        """Bytes on their way to S3: not those of files that the shipper has set aside."""
        used = 0
        for path in self._directory.iterdir():
            if path.suffix in (spool_file.OPEN, spool_file.CLOSED):
                with suppress(FileNotFoundError):  # just shipped
                    used += path.stat().st_size
        return used
