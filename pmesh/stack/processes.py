"""What Linux tells of processes: who belongs to a session, and which pid is which process."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

_PARENT, _SESSION, _START_TIME = 1, 3, 19  # fields of /proc/<pid>/stat after the command, proc(5)

_KILL_S = 10.0
"""The kernel may hold a process that writes to a slow disk."""


def start_time(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot; None if there is none.

    A pid and its start time together name one process: pids are used again.
    """
    fields = _stat(pid)
    return int(fields[_START_TIME]) if fields else None


def session_members(session: int) -> list[int]:
    """The pids in a session, which is named by the pid of its first process."""
    return [p for p in _all() if (fields := _stat(p)) and int(fields[_SESSION]) == session]


def kill_session(session: int) -> None:
    """SIGKILL every process of a session and wait, within limits, for their end."""
    until = time.monotonic() + _KILL_S
    while (members := session_members(session)) and time.monotonic() < until:
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def memory_bytes(pids: Iterable[int]) -> dict[int, int]:
    """Memory of each process with all that it started; of a shared page, its share."""
    children: dict[int, list[int]] = {}
    for process in _all():
        if fields := _stat(process):
            children.setdefault(int(fields[_PARENT]), []).append(process)

    def tree(pid: int) -> Iterator[int]:
        yield pid
        for child in children.get(pid, ()):
            yield from tree(child)

    return {pid: sum(map(_proportional_bytes, tree(pid))) for pid in pids}


def _proportional_bytes(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    found = re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the command may hold spaces and parentheses
    return None if fields[0] in "ZX" else fields
