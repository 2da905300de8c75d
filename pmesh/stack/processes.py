"""What Linux tells of processes: who belongs to a session, and which pid is which process."""

import contextlib
import os
import signal
from pathlib import Path

_SESSION, _START_TIME = 3, 19  # fields of /proc/<pid>/stat after the command, proc(5)


def start_time(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot; None if there is none.

    A pid and its start time together name one process: pids are used again.
    """
    fields = _stat(pid)
    return int(fields[_START_TIME]) if fields else None


def session_members(session: int) -> list[int]:
    """The pids in a session, which is named by the pid of its first process."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [p for p in pids if (fields := _stat(p)) and int(fields[_SESSION]) == session]


def kill_session(session: int) -> None:
    """SIGKILL every process of a session."""
    for pid in session_members(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def resident_bytes(session: int) -> int:
    """Resident memory of the processes of a session; pages that they share count for each."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in session_members(session):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
    return total


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the command may hold spaces and parentheses
    return None if fields[0] in "ZX" else fields
