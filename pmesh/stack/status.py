"""What the supervisor says of its parts: written at each change, read by `pmesh status`."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from pmesh.stack.processes import start_time


class State(StrEnum):
    """Where a part stands."""

    WAITING = "waiting"
    """For the parts that it needs."""
    STARTING = "starting"
    READY = "ready"
    RUNNING = "running"
    """A job under way."""
    DONE = "done"
    """A job that ended well."""
    RESTARTING = "restarting"
    """It died and is started again after a pause."""
    FAILED = "failed"
    """It keeps dying; it is still started again, at longer intervals."""
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class PartStatus:
    """One part at one moment."""

    name: str
    state: State = State.WAITING
    since: float = 0.0
    """When it came into this state, seconds since 1970."""
    pid: int | None = None
    """Also its session; None while no process runs."""
    started: int | None = None
    """Start time of that process in clock ticks since boot: tells a pid used again."""
    ready_s: float | None = None
    """How long the last start took, in seconds."""
    restarts: int = 0
    last_exit: str = ""
    """How it last died, such as "killed by SIGKILL"."""


@dataclass(frozen=True, kw_only=True)
class StackStatus:
    """The whole stack at one moment."""

    pid: int
    """Of the supervisor."""
    started: int | None
    """Start time of the supervisor, as in PartStatus."""
    state: State
    gateway_port: int
    ports: dict[str, int]
    failed: list[str]
    """Parts for which the stack could not start."""
    parts: list[PartStatus]
    replicas: bool = False
    """Whether there are several of what may be several."""
    observed: bool = False
    """Whether spans go to what shows them; see observers.py."""

    def part(self, name: str) -> PartStatus:
        """One part. Raises KeyError."""
        found = {part.name: part for part in self.parts}
        return found[name]


def write_status(file: Path, status: StackStatus) -> None:
    """Replace the file, so that a reader sees the old or the new one whole."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(asdict(status), indent=2) + "\n")
    new.replace(file)


def read_status(file: Path) -> StackStatus | None:
    """What was last written; None before the first start, and for what is no whole status."""
    if not file.exists():
        return None
    try:
        fields = json.loads(file.read_text())
        parts = [PartStatus(**p | {"state": State(p["state"])}) for p in fields.pop("parts")]
        return StackStatus(**fields | {"state": State(fields["state"])}, parts=parts)
    except (TypeError, KeyError, ValueError):
        return None


def is_alive(status: StackStatus) -> bool:
    """Whether the supervisor that wrote it still runs."""
    return status.started is not None and start_time(status.pid) == status.started
