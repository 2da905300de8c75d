"""What a part of the stack is: a command, what it needs, and how to tell that it works."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


def nothing() -> None:
    """The step of a part that has nothing to do there."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One child process of the stack. Its callables block; they are called in threads."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    """Parts that must have been ready before this one is first started; it is stopped before
    them."""
    uses: tuple[str, ...] = ()
    """Parts that it is stopped before, and does not wait for."""
    before: Callable[[], None] = nothing
    """Called before each start, such as to make its files."""
    is_ready: Callable[[], bool]
    """Whether it answers now. Must itself end within seconds."""
    after: Callable[[], None] = nothing
    """Called after each start once it is ready, before others are told."""
    watched: bool = False
    """Whether it is also restarted when it lives but `is_ready` says no."""
    background: bool = False
    """Whether the stack counts as started without it."""
    niceness: int = 0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    """How long it may take to stop before it is killed."""
    start_timeout_s: float = 120.0


@dataclass(frozen=True, kw_only=True)
class Job(Part):
    """A part that ends: it is ready once its process has exited with 0."""

    is_ready: Callable[[], bool] = lambda: False
    start_timeout_s: float = 3600.0
