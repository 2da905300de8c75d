"""What is looked at on this machine, and what to do when it is not well."""

from dataclasses import dataclass

from pmesh.stack.status import StackStatus, State


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `remedy` says what to do when it is not ok."""

    name: str
    ok: bool
    detail: str
    remedy: str


def check_parts(status: StackStatus) -> list[Finding]:
    """How the parts of a running stack are."""
    return [
        Finding(
            f"part {part.name}",
            part.state not in (State.RESTARTING, State.FAILED),
            f"{part.state}, {part.restarts} restarts {part.last_exit}".strip(),
            f"pmesh logs {part.name}",
        )
        for part in status.parts
    ]
