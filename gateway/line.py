"""A line of those who wait for the same: their callers in turn, so that none keeps out others."""

import asyncio
from collections.abc import Callable


def _anybody(_: str) -> bool:
    return True


class Line:
    """Those of one caller go one after the other."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[asyncio.Future[None], int]] = {}
        """By caller, with their weights; whose turn was the longest ago, first."""

    def join(self, caller: str, weight: int = 1) -> asyncio.Future[None]:
        """Done when it is the turn of who waits for it; whoever cancels it leaves the line."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, {})[waiting] = weight
        waiting.add_done_callback(lambda _: self._leave(caller, waiting))
        return waiting

    def size_of(self, caller: str) -> int:
        """How many wait for this caller."""
        return len(self._waiting.get(caller, ()))

    def first(self, may: Callable[[str], bool] = _anybody) -> str | None:
        """The caller whose turn is next, of those who may; None: nobody waits."""
        for caller, waiting in self._waiting.items():
            while waiting and (first := next(iter(waiting))).done():  # and has left just now
                del waiting[first]
            if waiting and may(caller):
                return caller
        return None

    def call(self, caller: str) -> int:
        """Give the one of `first` its turn; answers with its weight."""
        waiting = self._waiting.pop(caller)
        first = next(iter(waiting))
        weight = waiting.pop(first)
        if waiting:
            self._waiting[caller] = waiting  # behind the others
        first.set_result(None)
        return weight

    def _leave(self, caller: str, one: asyncio.Future[None]) -> None:
        if (waiting := self._waiting.get(caller)) is not None:
            waiting.pop(one, None)
            if not waiting:
                del self._waiting[caller]
