"""What Linux tells of processes: who belongs to a session, and which pid is which process."""

import contextlib
import os
import re
import signal
from pathlib import Path

_PARENT, _SESSION, _START_TIME = 1, 3, 19  # fields of /proc/<pid>/stat after the command, proc(5)


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
    """SIGKILL every process of a session."""
    for pid in session_members(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def memory_bytes(pid: int) -> int:
    """Memory of a process and all that it started; of a shared page, its share."""
    children: dict[int, list[int]] = {}
    for process in _all():
        if fields := _stat(process):
            children.setdefault(int(fields[_PARENT]), []).append(process)
    tree = [pid]
    for process in tree:  # grows as it goes
        tree += children.get(process, [])
    return sum(map(_proportional_bytes, tree))


def _proportional_bytes(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    (kilobytes,) = re.findall(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
    return int(kilobytes) * 1024


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the command may hold spaces and parentheses
    return None if fields[0] in "ZX" else fields
