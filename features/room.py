"""How many bytes a spool may still take: what waits for its writer, and what lies in its folder."""

import logging
import threading
from pathlib import Path

log = logging.getLogger(__name__)

MAX_QUEUED_BYTES = 64 << 20
"""In memory; what comes while the writer is so far behind is not kept."""
MAX_QUEUED = 4096
"""Batches, since small ones cost more than their bytes."""


class Room:
    """Used by whoever appends and by the writer's thread, which alone knows of the folder."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        """max_bytes: about what may wait and lie in the folder together."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._batches = 0
        self._queued_bytes = 0
        self._disk_bytes = 0
        self._is_full = False
        """Logged, and not over yet."""
        self._is_shut = False

    @property
    def is_shut(self) -> bool:
        """Whether the writer cannot write."""
        return self._is_shut

    @property
    def bytes(self) -> int:
        """What waits and lies there."""
        return self._queued_bytes + self._disk_bytes

    def take(self, size: int) -> bool:
        """Count a batch that is to wait; false if there is no room for it."""
        with self._lock:
            if self._is_shut:
                return False
            if (
                self._batches < MAX_QUEUED
                and self._queued_bytes + size <= MAX_QUEUED_BYTES
                and self._queued_bytes + self._disk_bytes + size <= self._max_bytes
            ):
                self._batches += 1
                self._queued_bytes += size
                return True
            if not self._is_full:
                log.warning("the spool is full: features are not kept until some have left it")
            self._is_full = True
            return False

    def leave_queue(self, size: int, *, written: bool) -> None:
        """A batch waits no longer."""
        with self._lock:
            self._batches -= 1
            self._queued_bytes -= size
            if written:
                self._disk_bytes += size

    def measured(self, disk_bytes: int) -> None:
        """The folder can be written to, and that lies in it."""
        with self._lock:
            self._disk_bytes = disk_bytes
            if self._is_shut:
                log.info("%s can be written to again", self._directory)
            self._is_shut = False
            if self._is_full and self._queued_bytes + disk_bytes <= 0.9 * self._max_bytes:
                self._is_full = False
                log.info("the spool has room again")

    def shut(self, reason: object) -> None:
        """Take nothing until `measured` is called."""
        with self._lock:
            if not self._is_shut:
                log.error(
                    "features are lost until %s can be written to: %s", self._directory, reason
                )
            self._is_shut = True
