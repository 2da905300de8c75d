"""The logs of the parts: one file each, kept small, read from the end."""

import os
import shutil
from collections import deque
from pathlib import Path

_MAX_BYTES = 5_000_000
"""Of a log that is gone on with at a start."""
_MOST_BYTES = 50_000_000
"""Of one that is being written."""


def rotate(directory: Path) -> None:
    """Move each log that has grown large aside; the one moved before is dropped."""
    for log in directory.glob("*.log"):
        if log.stat().st_size > _MAX_BYTES:
            log.replace(log.with_suffix(".log.1"))


def keep_small(directory: Path, most_bytes: int = _MOST_BYTES) -> None:
    """Cut each log that has grown too large while it is written; its end is kept aside.

    Who writes appends, so that it goes on at the beginning. Lines of that moment may be lost.
    """
    for log in directory.glob("*.log"):
        if log.stat().st_size > most_bytes:
            with log.open("rb") as old, log.with_suffix(".log.1").open("wb") as aside:
                old.seek(-most_bytes // 2, os.SEEK_END)
                shutil.copyfileobj(old, aside)
            os.truncate(log, 0)


def last_lines(log: Path, count: int) -> list[str]:
    """The end of a log; empty if there is none."""
    if not log.exists():
        return []
    with log.open(encoding="utf-8", errors="replace") as lines:
        return [line.rstrip("\n") for line in deque(lines, maxlen=count)]
