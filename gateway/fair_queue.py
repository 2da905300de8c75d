"""What waits for the same, its callers in turn, within one bound for all of them.

Where it is full, whoever has the most waiting gives way to who has less: no caller is refused for
what another asks for. Those without a name are one caller.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Generic, TypeVar

from contract.errors import Overloaded

Item = TypeVar("Item")
Result = TypeVar("Result")

Entry = tuple[str, Item, asyncio.Future[Result]]
"""The caller, what he asks for, and where he waits for it; once that is done, he has left."""


class FairQueue(Generic[Item, Result]):
    """Those of one caller go one after the other."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: dict[str, deque[Entry[Item, Result]]] = {}
        """By caller; whose turn was the longest ago, first."""
        self._size = 0

    def __len__(self) -> int:
        """How many wait, or have left of late."""
        return self._size

    def put(self, entry: Entry[Item, Result]) -> None:
        """Add to the end of its caller's. Raises Overloaded, or has another's entry fail so."""
        caller = entry[0]
        if self._size >= self._most:
            self._make_room(caller)
        entries = self._entries.get(caller)
        if entries is None:
            entries = self._entries[caller] = deque()
        entries.append(entry)
        self._size += 1

    def put_back(self, entries: Sequence[Entry[Item, Result]]) -> None:
        """Have those that were taken come first again, though it be full; the last of their
        callers before the others, so that in the end each is the first."""
        first: dict[str, deque[Entry[Item, Result]]] = {}
        for entry in reversed(entries):
            caller = entry[0]
            if caller not in first:
                first[caller] = self._entries.pop(caller, deque())
            first[caller].appendleft(entry)
        self._entries = first | self._entries
        self._size += len(entries)

    def take(self, most: int) -> list[Entry[Item, Result]]:
        """The next ones: as many of each caller, where more wait than are taken."""
        taken: list[Entry[Item, Result]] = []
        if len(self._entries) == 1:
            self._take_of(next(iter(self._entries)), most, taken)
            return taken
        while self._entries and (room := most - len(taken)):
            each = max(room // len(self._entries), 1)
            for caller in list(islice(self._entries, room)):
                self._take_of(caller, each, taken)
        return taken

    def clear(self) -> list[Entry[Item, Result]]:
        """All of them; none waits any more."""
        return self.take(self._size)

    def _take_of(self, caller: str, most: int, taken: list[Entry[Item, Result]]) -> None:
        entries = self._entries.pop(caller)
        before = len(entries)
        until = len(taken) + most
        while entries and len(taken) < until:
            entry = entries.popleft()
            if not entry[2].done():
                taken.append(entry)
        self._size -= before - len(entries)
        if entries:
            self._entries[caller] = entries  # behind the others

    def _make_room(self, caller: str) -> None:
        self._forget_the_gone()
        if self._size < self._most:
            return
        longest = max(self._entries.values(), key=len)
        if len(longest) < len(self._entries.get(caller, ())) + 2:  # they would only change places
            raise Overloaded
        longest.pop()[2].set_exception(Overloaded())
        self._size -= 1

    def _forget_the_gone(self) -> None:
        """Whoever has left takes nobody's place."""
        waiting = {
            caller: deque(entry for entry in entries if not entry[2].done())
            for caller, entries in self._entries.items()
        }
        self._entries = {caller: entries for caller, entries in waiting.items() if entries}
        self._size = sum(map(len, self._entries.values()))
