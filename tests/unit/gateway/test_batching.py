import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from contract.errors import Overloaded
from gateway import request_context
from gateway.batching import Batcher, NotYet
from gateway.request_context import OUTSIDE


class Recorder:
    """Runs batches that a test lets go one by one."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()

    async def run(self, batch: list[int]) -> list[int | Exception]:
        self.batches.append(batch)
        await self.gate.wait()
        return [item * 10 if item >= 0 else ValueError(item) for item in batch]


def batcher(
    recorder: Recorder, *, max_batch: int = 8, max_waiting: int = 100, max_in_flight: int = 1
) -> Batcher[int, int]:
    return Batcher(
        recorder.run,
        max_batch=max_batch,
        max_waiting=max_waiting,
        max_in_flight=lambda: max_in_flight,
    )


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_calls_of_one_turn_go_together_and_each_gets_its_own_result() -> None:
    recorder = Recorder()
    recorder.gate.set()
    batches = batcher(recorder)
    assert await asyncio.gather(*(batches.submit(n) for n in range(5))) == [0, 10, 20, 30, 40]
    assert recorder.batches == [[0, 1, 2, 3, 4]]


async def test_what_arrives_during_a_batch_waits_for_the_next_one() -> None:
    recorder = Recorder()
    batches = batcher(recorder)
    first = batches.submit(1)
    await settle()
    later = [batches.submit(n) for n in (2, 3)]
    await settle()
    assert recorder.batches == [[1]]
    recorder.gate.set()
    assert await asyncio.gather(first, *later) == [10, 20, 30]
    assert recorder.batches == [[1], [2, 3]]


async def test_batches_are_no_larger_than_allowed() -> None:
    recorder = Recorder()
    recorder.gate.set()
    batches = batcher(recorder, max_batch=3)
    await asyncio.gather(*(batches.submit(n) for n in range(7)))
    assert [len(batch) for batch in recorder.batches] == [3, 3, 1]


async def test_batches_run_side_by_side_up_to_the_limit() -> None:
    recorder = Recorder()
    batches = batcher(recorder, max_batch=1, max_in_flight=2)
    futures = [batches.submit(n) for n in range(3)]
    await settle()
    assert recorder.batches == [[0], [1]]
    recorder.gate.set()
    assert await asyncio.gather(*futures) == [0, 10, 20]


async def test_a_cancelled_item_is_never_run() -> None:
    recorder = Recorder()
    batches = batcher(recorder)
    running = batches.submit(1)
    await settle()
    cancelled, kept = batches.submit(2), batches.submit(3)
    cancelled.cancel()
    recorder.gate.set()
    assert await asyncio.gather(running, kept) == [10, 30]
    assert recorder.batches == [[1], [3]]


async def test_one_items_error_is_its_own() -> None:
    recorder = Recorder()
    recorder.gate.set()
    batches = batcher(recorder)
    results = await asyncio.gather(*(batches.submit(n) for n in (1, -1, 2)), return_exceptions=True)
    assert results[0] == 10
    assert isinstance(results[1], ValueError)
    assert results[2] == 20


async def test_a_failed_batch_fails_all_its_callers_and_the_next_one_runs() -> None:
    answers = iter([RuntimeError("down"), None])

    async def run(batch: list[int]) -> list[int]:
        if error := next(answers):
            raise error
        return batch

    batches = Batcher[int, int](run, max_batch=2, max_waiting=10)
    results = await asyncio.gather(*(batches.submit(n) for n in range(4)), return_exceptions=True)
    assert [str(result) for result in results] == ["down", "down", "2", "3"]


async def test_a_batch_with_results_missing_fails_instead_of_hanging() -> None:
    async def run(batch: list[int]) -> list[int]:
        return batch[1:]

    batches = Batcher[int, int](run, max_batch=2, max_waiting=10)
    results = await asyncio.gather(*(batches.submit(n) for n in range(2)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, ValueError]


async def test_more_than_may_wait_is_refused_at_once() -> None:
    recorder = Recorder()
    batches = batcher(recorder, max_batch=1, max_waiting=2)
    running = batches.submit(0)
    await settle()
    waiting = [batches.submit(1), batches.submit(2)]
    with pytest.raises(Overloaded):
        batches.submit(3)
    recorder.gate.set()
    assert await asyncio.gather(running, *waiting) == [0, 10, 20]


async def test_whoever_left_takes_nobodys_place() -> None:
    recorder = Recorder()
    batches = batcher(recorder, max_batch=1, max_waiting=2)
    running = batches.submit(0)
    await settle()
    kept, gone = batches.submit(1), batches.submit(2)
    gone.cancel()
    late = batches.submit(3)
    recorder.gate.set()
    assert await asyncio.gather(running, kept, late) == [0, 10, 30]


async def test_closing_gives_up_what_runs_and_what_waits() -> None:
    recorder = Recorder()
    batches = batcher(recorder)
    running = batches.submit(1)
    await settle()
    waiting = batches.submit(2)
    await batches.close()
    assert (running.cancelled(), waiting.cancelled()) == (True, True)
    assert recorder.batches == [[1]]


class Turnstile:
    """A slot that is given when a test says so."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(0)
        self.held = 0

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        await self.free.acquire()
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1


async def test_what_comes_while_a_batch_waits_for_its_slot_joins_it() -> None:
    recorder, turnstile = Recorder(), Turnstile()
    recorder.gate.set()
    batches = Batcher[int, int](
        recorder.run, max_batch=10, max_in_flight=lambda: 2, max_waiting=10, slot=turnstile.hold
    )
    first = batches.submit(1)
    await settle()
    second = batches.submit(2)
    await settle()
    turnstile.free.release()
    assert await asyncio.gather(first, second) == [10, 20]
    assert recorder.batches == [[1, 2]]


async def test_a_slot_is_held_until_the_batch_has_ended_though_its_callers_left() -> None:
    recorder, turnstile = Recorder(), Turnstile()
    turnstile.free.release()
    batches = Batcher[int, int](recorder.run, max_batch=10, max_waiting=10, slot=turnstile.hold)
    call = batches.submit(1)
    await settle()
    call.cancel()
    await settle()
    assert turnstile.held == 1
    recorder.gate.set()
    await settle()
    assert turnstile.held == 0


async def test_after_a_failure_the_next_batch_waits_for_the_recovery() -> None:
    recovered, failures = asyncio.Event(), []
    runs = []

    async def run(batch: list[int]) -> list[int]:
        runs.append(batch)
        if len(runs) == 1:
            raise RuntimeError("too late")
        return batch

    async def recover(error: Exception) -> None:
        failures.append(str(error))
        await recovered.wait()

    batches = Batcher[int, int](run, max_batch=10, max_waiting=10, recover=recover)
    with pytest.raises(RuntimeError):
        await batches.submit(1)
    waiting = batches.submit(2)
    await settle()
    assert (runs, failures) == ([[1]], ["too late"])
    recovered.set()
    assert await waiting == 2


async def test_batches_side_by_side_are_never_more_than_allowed() -> None:
    recorder = Recorder()
    batches = batcher(recorder, max_batch=1, max_in_flight=3)
    futures = [batches.submit(n) for n in range(8)]
    await settle()
    assert len(recorder.batches) == 3
    recorder.gate.set()
    assert await asyncio.gather(*futures) == [n * 10 for n in range(8)]


async def test_a_caller_that_asks_again_as_soon_as_it_is_answered_is_answered_again() -> None:
    recorder = Recorder()
    recorder.gate.set()
    batches = batcher(recorder)
    async with asyncio.timeout(5):
        assert [await batches.submit(n) for n in range(10)] == [n * 10 for n in range(10)]


async def submit(batches: Batcher[int, int], caller: str, *items: int) -> list[int | BaseException]:
    """As the calls of one caller."""
    request_context.enter(OUTSIDE._replace(caller=caller))
    return await asyncio.gather(*(asked(batches, item) for item in items), return_exceptions=True)


async def asked(batches: Batcher[int, int], item: int) -> int:
    return await batches.submit(item)


async def test_a_caller_who_fills_the_queue_is_refused_for_another_s_sake() -> None:
    recorder = Recorder()
    batches = batcher(recorder, max_batch=4, max_waiting=20)
    of_eve = asyncio.create_task(submit(batches, "eve", *range(100)))
    await settle()
    of_bob = asyncio.create_task(submit(batches, "bob", *range(200, 206)))
    await settle()
    recorder.gate.set()
    assert await of_bob == [n * 10 for n in range(200, 206)]
    outcomes = await of_eve
    assert {type(outcome) for outcome in outcomes} == {int, Overloaded}
    assert [len([n for n in batch if n >= 200]) for batch in recorder.batches[1:4]] == [2, 2, 2]


async def test_what_could_not_be_done_yet_comes_first_in_the_next_batch() -> None:
    batches_run = []

    async def run(batch: list[int]) -> list[int | Exception]:
        batches_run.append(batch)
        return [batch[0], *[NotYet()] * (len(batch) - 1)]

    batches = Batcher[int, int](run, max_batch=3, max_waiting=10)
    assert await asyncio.gather(*(batches.submit(n) for n in range(5))) == [0, 1, 2, 3, 4]
    assert batches_run == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4], [4]]
