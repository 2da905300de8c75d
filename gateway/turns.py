"""So much at once: what is shared, for callers who ask at the same time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

from contract.errors import Overloaded
from gateway.line import Line


class Turns:
    """Callers go in turn. Those without a name are one caller, who may do any number.

    What is asked for has a weight, and begins where there is room, though it be heavier than that.
    """

    def __init__(
        self, at_once: float = inf, *, each: float = inf, most_waiting: float = inf
    ) -> None:
        """each: that a caller with a name may do at once; most_waiting: that may wait for him."""
        self._free = at_once
        self._each = each
        self._most_waiting = most_waiting
        self._line = Line()
        self._held: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, caller: str, weight: int = 1) -> AsyncIterator[None]:
        """Wait for a turn, and have it for the length of the block. Raises Overloaded."""
        await self.begin(caller, weight)
        try:
            yield
        finally:
            self.end(caller, weight)

    async def begin(self, caller: str, weight: int = 1) -> None:
        """Wait for a turn, which lasts until `end`. Raises Overloaded."""
        if self._free > 0 and self._may(caller):
            self._take(caller, weight)
        else:
            await self._wait(caller, weight)

    def end(self, caller: str, weight: int = 1) -> None:
        """End a turn, so that whoever waits has the next ones."""
        self._take(caller, -weight)
        if not self._held[caller]:
            del self._held[caller]
        while self._free > 0 and (following := self._line.first(self._may)) is not None:
            self._take(following, self._line.call(following))

    def _may(self, caller: str) -> bool:
        return not caller or self._held[caller] < self._each

    def _take(self, caller: str, weight: int) -> None:
        self._free -= weight
        self._held[caller] += weight

    async def _wait(self, caller: str, weight: int) -> None:
        if caller and self._line.size_of(caller) >= self._most_waiting:
            raise Overloaded(
                f"{self._most_waiting} such calls of this caller wait already; try again later"
            )
        waiting = self._line.join(caller, weight)
        try:
            await waiting
        except asyncio.CancelledError:
            if not waiting.cancelled():  # it was its turn already
                self.end(caller, weight)
            raise
