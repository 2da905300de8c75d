"""Growing pauses between tries of what fails by itself, while other things go on."""

import time
from collections.abc import Iterable

FIRST_S = 1.0
MAX_S = 300.0


class Pauses:
    """By name."""

    def __init__(self) -> None:
        self._next: dict[str, tuple[float, float]] = {}
        """When it may be tried again, and the pause after that."""

    def is_due(self, name: str) -> bool:
        """Whether it may be tried now."""
        return name not in self._next or time.monotonic() >= self._next[name][0]

    def failed(self, name: str) -> bool:
        """Begin its next pause; answers whether it is its first."""
        is_first = name not in self._next
        _, pause_s = self._next.get(name, (0.0, FIRST_S))
        self._next[name] = (time.monotonic() + pause_s, min(2 * pause_s, MAX_S))
        return is_first

    def keep(self, names: Iterable[str]) -> None:
        """Forget all others."""
        there = set(names)
        self._next = {name: entry for name, entry in self._next.items() if name in there}
