"""Coalescing: what arrives while a batch is in flight goes together in the next one.

Micro-batches to a model and group commits to the database are both this. There is no timer:
at low load a batch is one item and waits for nothing, under load batches grow by themselves, and
are shared out among the callers whose items wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import Context
from typing import Generic, TypeVar

from gateway import request_context
from gateway.fair_queue import Entry, FairQueue

Item = TypeVar("Item")
Result = TypeVar("Result")

Slot = Callable[[], AbstractAsyncContextManager[None]]


class NotYet(Exception):
    """The result of an item that is to come first in the next batch."""


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

        run: does a batch of 1 to max_batch items; answers one result (or exception, perhaps
            NotYet) an item, in order. What it raises goes to every caller of the batch.
        max_waiting: items that may wait for a batch; beyond them whoever has the most is refused.
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
        self._slot = slot
        self._recover = recover
        self._waiting = FairQueue[Item, Result](max_waiting)
        self._batches: set[asyncio.Task[None]] = set()
        self._starting = False
        # A batch is nobody's: its log lines name no request, whosever made it start.
        self._context = Context()

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Put an item into the next batch in which it is the turn of the present request's caller.

        Cancelling the future before its batch starts takes the item out of it.
        Raises Overloaded, or has the future do so, when max_waiting items wait already.
        """
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting.put((request_context.current().caller, item, future))
        if not self._starting and len(self._batches) < self._max_in_flight():
            # Not at once: what else arrives in this turn of the loop comes along.
            self._starting = True
            self._loop.call_soon(self._start, context=self._context)
        return future

    @property
    def waiting(self) -> int:
        """How many items wait for a batch."""
        return len(self._waiting)

    def fail_waiting(self, error: Exception) -> None:
        """Answer with an error whoever waits for a batch; one that runs is left alone."""
        for _, _, future in self._waiting.clear():
            future.set_exception(error)

    async def close(self) -> None:
        """Give up what waits and what runs; nothing may be submitted any more."""
        for _, _, future in self._waiting.clear():
            future.cancel()
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
            batch = self._waiting.take(self._max_batch)
            self._start_next()
            if not batch:
                return None
            results: Sequence[Result | Exception]
            failure: Exception | None = None
            try:
                results = await self._run([item for _, item, _ in batch])
                if len(results) != len(batch):
                    raise ValueError(f"{len(results)} results for a batch of {len(batch)}")
            except asyncio.CancelledError:
                for _, _, future in batch:
                    future.cancel()
                raise
            except Exception as error:  # every caller gets it
                failure, results = error, [error] * len(batch)
        self._hand_out(batch, results)
        return failure

    def _hand_out(
        self, batch: list[Entry[Item, Result]], results: Sequence[Result | Exception]
    ) -> None:
        not_yet = []
        for entry, result in zip(batch, results, strict=True):
            future = entry[2]
            if future.done():  # its caller has gone
                continue
            if isinstance(result, NotYet):
                not_yet.append(entry)
            elif isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        if not_yet:
            self._waiting.put_back(not_yet)
