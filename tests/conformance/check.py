"""What a check is, and how it ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from tests.conformance.target import Target


class Level(Enum):
    """What it means for a server if it does not do as a check expects."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"
    NOTE = "note"


class Unfit(Exception):
    """The server did something else than expected; the message says what was seen."""


class NotTried(Exception):
    """The check can say nothing of this server; the message says why."""


Run = Callable[[Target], Awaitable[str]]
"""Answers with what was seen. Raises Unfit, NotTried, or what the call that it makes raises."""


@dataclass(frozen=True)
class Check:
    """One expectation."""

    name: str
    expected: str
    remedy: str
    """What to do about a server that does something else."""
    run: Run
    level: Level
    is_gate: bool
    """Whether the checks after it have no sense without it."""


def check(
    name: str,
    *,
    expected: str,
    remedy: str,
    level: Level = Level.REQUIRED,
    is_gate: bool = False,
) -> Callable[[Run], Check]:
    """Make a check of a function."""

    def decorate(run: Run) -> Check:
        return Check(name, expected, remedy, run, level, is_gate)

    return decorate
