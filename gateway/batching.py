"""Coalescing: what arrives while a batch is in flight goes together in the next one.

Micro-batches to a model and group commits to the database are both this. There is no timer:
at low load a batch is one item and waits for nothing, under load batches grow by themselves.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import Context
from typing import Generic, TypeVar

from contract.errors import Overloaded

Item = TypeVar("Item")
Result = TypeVar("Result")

Slot = Callable[[], AbstractAsyncContextManager[None]]


async def _nothing(_: Exception) -> None:
    """What is there to recover from where nothing runs on."""


def _one() -> int:
    return 1


class Batcher(Generic[Item, Result]):
    """Gathers items into batches and hands each caller its own result."""

    def __init__(
        self,
        run: Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_batch: int,
        max_waiting: int,
        max_in_flight: Callable[[], int] = _one,
        slot: Slot = nullcontext,
        recover: Callable[[Exception], Awaitable[None]] = _nothing,
    ) -> None:
        """To be made in the event loop that it works in; nothing runs until the first submit.

        run: does a batch of 1 to max_batch items; answers one result (or exception) an item, in
            order. What it raises goes to every caller of the batch.
        max_waiting: items that may wait for a batch; the next one is refused.
        max_in_flight: how many batches may run side by side now.
        slot: held by each batch while it runs; what comes meanwhile still joins a batch that
            waits for its slot.
        recover: awaited, without the slot, after a batch that raised, before the next one takes
            its place.
        """
        self._loop = asyncio.get_running_loop()
        self._run = run
        self._max_batch = max_batch
        self._max_in_flight = max_in_flight
        self._max_waiting = max_waiting
        self._slot = slot
        self._recover = recover
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._batches: set[asyncio.Task[None]] = set()
        self._starting = False
        # A batch is nobody's: its log lines name no request, whosever made it start.
        self._context = Context()

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Put an item into the next batch.

        Cancelling the future before its batch starts takes the item out of it.
        Raises Overloaded when max_waiting items wait already.
        """
        if len(self._waiting) >= self._max_waiting:
            self._forget_the_gone()
            if len(self._waiting) >= self._max_waiting:
                raise Overloaded
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting.append((item, future))
        if not self._starting and len(self._batches) < self._max_in_flight():
            # Not at once: what else arrives in this turn of the loop comes along.
            self._starting = True
            self._loop.call_soon(self._start, context=self._context)
        return future

    def fail_waiting(self, error: Exception) -> None:
        """Answer with an error whoever waits for a batch; one that runs is left alone."""
        waiting, self._waiting = self._waiting, deque()
        for _, future in waiting:
            if not future.done():
                future.set_exception(error)

    async def close(self) -> None:
        """Give up what waits and what runs; nothing may be submitted any more."""
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()
        batches = list(self._batches)
        for batch in batches:
            batch.cancel()
        await asyncio.gather(*batches, return_exceptions=True)

    def _start(self) -> None:
        task = self._loop.create_task(self._work(), context=self._context)
        self._batches.add(task)
        task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        self._start_next()  # for what came since the task looked for more

    def _start_next(self) -> None:
        if self._waiting and not self._starting and len(self._batches) < self._max_in_flight():
            self._starting = True
            self._start()

    async def _work(self) -> None:
        """One batch after the other, for as long as something waits."""
        while True:
            failure = await self._work_on_one()
            if failure is not None:
                await self._recover(failure)
            if not self._waiting or self._starting:
                return
            self._starting = True

    async def _work_on_one(self) -> Exception | None:
        """Do the next batch; answers with what it raised."""
        async with self._slot():
            self._starting = False
            batch = self._take()
            self._start_next()
            if not batch:
                return None
            results: Sequence[Result | Exception]
            failure: Exception | None = None
            try:
                results = await self._run([item for item, _ in batch])
                if len(results) != len(batch):
                    raise ValueError(f"{len(results)} results for a batch of {len(batch)}")
            except asyncio.CancelledError:
                for _, future in batch:
                    future.cancel()
                raise
            except Exception as error:  # every caller gets it
                failure, results = error, [error] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its caller has gone
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        return failure

    def _forget_the_gone(self) -> None:
        """Whoever has left takes nobody's place."""
        self._waiting = deque(entry for entry in self._waiting if not entry[1].done())

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._max_batch:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        return batch
