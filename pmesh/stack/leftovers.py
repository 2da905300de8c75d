"""Ends what a supervisor that was killed may have left running."""

import time

from pmesh.stack import processes
from pmesh.stack.status import StackStatus

_GRACE_S = 5.0
"""The parts were told to stop when their supervisor died: PostgreSQL is better left to do it."""


def end_leftovers(last: StackStatus | None) -> None:
    """Wait a little for the processes of the last stack to end by themselves, then kill them."""
    sessions = [] if last is None else _sessions(last)
    until = time.monotonic() + _GRACE_S
    while time.monotonic() < until and any(map(processes.session_members, sessions)):
        time.sleep(0.1)
    for session in sessions:
        processes.kill_session(session)


def _sessions(last: StackStatus) -> list[int]:
    """Sessions that are still those of the parts, not of a process that got the same pid.

    A pid is not used again while any process is in the session of that name. So if the pid
    lives with another start time, the part's session is gone.
    """
    return [
        part.pid
        for part in last.parts
        if part.pid is not None and processes.start_time(part.pid) in (None, part.started)
    ]
