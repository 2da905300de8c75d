"""Coalescing: what arrives while a batch is in flight goes together in the next one.

Micro-batches to a model and group commits to the database are both this. There is no timer:
at low load a batch is one item and waits for nothing, under load batches grow by themselves.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from gateway.errors import Overloaded

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Gathers items into batches and hands each caller its own result."""

    def __init__(
        self,
        run: Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_batch: int,
        max_in_flight: int,
        max_waiting: int,
    ) -> None:
        """To be made in the event loop that it works in; nothing runs until the first submit.

        run: does a batch of 1 to max_batch items; answers one result (or exception) an item, in
            order. What it raises goes to every caller of the batch.
        max_in_flight: batches that may run side by side.
        max_waiting: items that may wait for a batch; the next one is refused.
        """
        self._loop = asyncio.get_running_loop()
        self._run = run
        self._max_batch = max_batch
        self._max_in_flight = max_in_flight
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._batches: set[asyncio.Task[None]] = set()
        self._scheduled = False

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Put an item into the next batch.

        Cancelling the future before its batch starts takes the item out of it.
        Raises Overloaded when max_waiting items wait already.
        """
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting.append((item, future))
        if not self._scheduled and len(self._batches) < self._max_in_flight:
            # Not at once: what else arrives in this turn of the loop comes along.
            self._scheduled = True
            self._loop.call_soon(self._start)
        return future

    def _start(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._batches) < self._max_in_flight:
            batch = self._take()
            if batch:
                task = asyncio.create_task(self._finish(batch))
                self._batches.add(task)
                task.add_done_callback(self._batches.discard)

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._max_batch:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        return batch

    async def _finish(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        results: Sequence[Result | Exception]
        try:
            results = await self._run([item for item, _ in batch])
            if len(results) != len(batch):
                raise ValueError(f"{len(results)} results for a batch of {len(batch)}")
        except Exception as error:  # every caller gets it
            results = [error] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its caller has gone
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._batches.discard(asyncio.current_task())
        self._start()
