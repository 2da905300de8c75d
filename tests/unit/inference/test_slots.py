"""How batches in flight are bounded and shared out."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from inference.slots import Slots


class Floor:
    """Models that hold slots until they are told to give them back."""

    def __init__(self, total: Callable[[], int]) -> None:
        self.slots = Slots(total)
        self.holding: list[str] = []
        """In the order in which they got a slot."""
        self._ends: dict[str, list[asyncio.Event]] = {}

    def enter(self, model: str) -> "asyncio.Task[None]":
        return asyncio.create_task(self._hold(model))

    async def settle(self) -> None:
        """Let everybody have a slot who can."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def leave(self, model: str) -> None:
        """One holder of this model ends."""
        self._ends[model].pop(0).set()
        await self.settle()

    async def _hold(self, model: str) -> None:
        async with self.slots.hold(model):
            self.holding.append(model)
            end = asyncio.Event()
            self._ends.setdefault(model, []).append(end)
            await end.wait()
            self.holding.remove(model)


async def filled(total: int, models: Sequence[str]) -> tuple[Floor, list["asyncio.Task[None]"]]:
    """All of these have asked, in this order."""
    floor = Floor(lambda: total)
    tasks = [floor.enter(model) for model in models]
    await floor.settle()
    return floor, tasks


async def test_never_more_hold_a_slot_than_there_are() -> None:
    floor, _ = await filled(2, "abcd")
    assert floor.holding == ["a", "b"]
    await floor.leave("a")
    assert floor.holding == ["b", "c"]


async def test_a_model_that_is_alone_has_all_slots() -> None:
    floor, _ = await filled(3, "aaa")
    assert floor.holding == ["a"] * 3


async def test_no_model_has_more_than_its_share_while_others_wait() -> None:
    floor, _ = await filled(4, "aaaaaaaabbbb")
    assert Counter(floor.holding) == {"a": 4}
    for _ in range(2):
        await floor.leave("a")
    assert Counter(floor.holding) == {"a": 2, "b": 2}
    await floor.leave("a")
    assert Counter(floor.holding) == {"a": 2, "b": 2}, "who has fewer gets what is free"
    await floor.leave("b")
    assert Counter(floor.holding) == {"a": 2, "b": 2}


async def test_models_get_slots_in_turn() -> None:
    floor, _ = await filled(1, "xaaabbbccc")
    order = []
    for _ in range(9):
        await floor.leave(floor.holding[0])
        order += floor.holding
    assert order == list("abcabcabc")


async def test_who_gives_up_waiting_loses_no_slot() -> None:
    floor, tasks = await filled(1, "abc")
    tasks[1].cancel()
    await floor.leave("a")
    assert floor.holding == ["c"]
    await floor.leave("c")
    floor.enter("d")
    await floor.settle()
    assert floor.holding == ["d"]


async def test_a_slot_given_to_who_is_just_giving_up_goes_to_the_next() -> None:
    slots = Slots(lambda: 1)
    got: list[str] = []

    async def take(name: str) -> None:
        async with slots.hold(name):
            got.append(name)

    async with slots.hold("a"):
        waiting = [asyncio.create_task(take(name)) for name in "bc"]
        await asyncio.sleep(0)
    waiting[0].cancel()  # the slot is b's already, and b has not run since
    await asyncio.gather(*waiting, return_exceptions=True)
    assert got == ["c"]


async def test_a_slot_is_not_given_to_who_has_just_given_up() -> None:
    slots = Slots(lambda: 1)
    got: list[str] = []

    async def take(name: str) -> None:
        async with slots.hold(name):
            got.append(name)

    async with slots.hold("a"):
        waiting = [asyncio.create_task(take(name)) for name in "bc"]
        await asyncio.sleep(0)
        waiting[0].cancel()  # and b has not run since
    await asyncio.gather(*waiting, return_exceptions=True)
    assert got == ["c"]
    async with asyncio.timeout(1), slots.hold("d"):
        pass


async def test_a_slot_comes_back_from_who_fails() -> None:
    slots = Slots(lambda: 1)
    with pytest.raises(RuntimeError):
        async with slots.hold("a"):
            raise RuntimeError
    async with asyncio.timeout(1), slots.hold("a"):
        pass


async def test_no_slot_is_lost_whoever_is_cancelled_when() -> None:
    slots = Slots(lambda: 3)
    held = most = 0

    async def work(number: int) -> None:
        nonlocal held, most
        async with slots.hold(f"model-{number % 5}"):
            held += 1
            most = max(most, held)
            try:
                for _ in range(number % 4):
                    await asyncio.sleep(0)
            finally:
                held -= 1

    tasks = []
    for number in range(500):
        tasks.append(asyncio.create_task(work(number)))
        if number % 3 == 0:
            tasks[number // 2].cancel()
        if number % 7 == 0:
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
    assert most == 3
    async with asyncio.timeout(1), slots.hold("a"), slots.hold("b"), slots.hold("c"):
        pass


async def test_when_there_come_to_be_more_all_that_are_free_are_taken() -> None:
    total = 1
    floor = Floor(lambda: total)
    tasks = [floor.enter(model) for model in "abcd"]
    await floor.settle()
    assert floor.holding == ["a"]
    total = 3
    await floor.leave("a")
    assert floor.holding == ["b", "c", "d"]
    assert [task.done() for task in tasks] == [True, False, False, False]
