"""The logs of the parts: one file each, kept small, read from the end."""

from collections import deque
from pathlib import Path

_MAX_BYTES = 5_000_000


def rotate(directory: Path) -> None:
    """Move each log that has grown large aside; the one moved before is dropped."""
    for log in directory.glob("*.log"):
        if log.stat().st_size > _MAX_BYTES:
            log.replace(log.with_suffix(".log.1"))


def last_lines(log: Path, count: int) -> list[str]:
    """The end of a log; empty if there is none."""
    if not log.exists():
        return []
    with log.open(encoding="utf-8", errors="replace") as lines:
        return [line.rstrip("\n") for line in deque(lines, maxlen=count)]
