"""A line of those who wait for the same: their callers in turn, so that none keeps out others."""

import asyncio


class Line:
    """Those of one caller go one after the other."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[asyncio.Future[None], None]] = {}
        """By caller; whose turn was the longest ago, first."""

    def join(self, caller: str) -> asyncio.Future[None]:
        """Done when it is the turn of who waits for it; whoever cancels it leaves the line."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, {})[waiting] = None
        waiting.add_done_callback(lambda _: self._leave(caller, waiting))
        return waiting

    def size_of(self, caller: str) -> int:
        """How many wait for this caller."""
        return len(self._waiting.get(caller, ()))

    def first(self) -> str | None:
        """The caller whose turn is next; None: nobody waits."""
        while (caller := next(iter(self._waiting), None)) is not None:
            waiting = self._waiting[caller]
            while waiting and (first := next(iter(waiting))).done():  # and has left just now
                del waiting[first]
            if waiting:
                return caller
            del self._waiting[caller]
        return None

    def call(self) -> bool:
        """Give the next one its turn; False: nobody waits."""
        if (caller := self.first()) is None:
            return False
        waiting = self._waiting.pop(caller)
        first = next(iter(waiting))
        del waiting[first]
        if waiting:
            self._waiting[caller] = waiting
        first.set_result(None)
        return True

    def _leave(self, caller: str, one: asyncio.Future[None]) -> None:
        if (waiting := self._waiting.get(caller)) is not None:
            waiting.pop(one, None)
            if not waiting:
                del self._waiting[caller]
