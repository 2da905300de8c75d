"""Bounds the batches in flight at the servers of one address, shared out among their models."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


class Slots:
    """So many batches at once; what is free goes to the model that has the fewest."""

    def __init__(self, total: Callable[[], int]) -> None:
        """total: how many there may be now."""
        self._total = total
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """The model that has waited longest since its last turn comes first."""

    @asynccontextmanager
    async def hold(self, model: str) -> AsyncIterator[None]:
        """Wait for a slot and hold it for as long as the block runs."""
        await self._acquire(model)
        try:
            yield
        finally:
            self._release(model)

    async def _acquire(self, model: str) -> None:
        if self._has_free() and not self._waiting:
            self._take(model)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(model, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release(model)  # it was given just before
            else:
                self._forget(model, turn)
            raise

    def _take(self, model: str) -> None:
        self._held[model] += 1

    def _release(self, model: str) -> None:
        self._held[model] -= 1
        if not self._held[model]:
            del self._held[model]
        self._serve_next()

    def _has_free(self) -> bool:
        return self._held.total() < self._total()

    def _serve_next(self) -> None:
        while self._waiting and self._has_free():
            model = min(self._waiting, key=self._held.__getitem__)
            turns = self._waiting.pop(model)
            turn = turns.popleft()
            if turns:
                self._waiting[model] = turns  # behind the others
            if not turn.done():  # else it was cancelled, and its task has not run since
                self._take(model)
                turn.set_result(None)

    def _forget(self, model: str, turn: "asyncio.Future[None]") -> None:
        turns = self._waiting.get(model, deque())
        with suppress(ValueError):  # its turn has come meanwhile, and was passed over
            turns.remove(turn)
            if not turns:
                del self._waiting[model]
