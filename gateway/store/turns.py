"""One after the other: what takes long, for callers who ask at the same time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contract.errors import Overloaded
from gateway.line import Line

MOST = 16
"""That wait for one caller."""


class Turns:
    """Callers go in turn, and each may have so many waiting; those without a name are one caller,
    who may have any number."""

    def __init__(self) -> None:
        self._line = Line()
        self._is_taken = False

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Nobody else has theirs for the length of the block. Raises Overloaded."""
        if self._is_taken:
            if caller and self._line.size_of(caller) >= MOST:
                raise Overloaded(f"{MOST} lists of this caller wait already; try again later")
            await self._wait(caller)
        self._is_taken = True
        try:
            yield
        finally:
            self._is_taken = self._line.call()

    async def _wait(self, caller: str) -> None:
        waiting = self._line.join(caller)
        try:
            await waiting
        except asyncio.CancelledError:
            if not waiting.cancelled():  # it was its turn already
                self._is_taken = self._line.call()
            raise
