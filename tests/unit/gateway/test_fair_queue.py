"""Callers share what is taken, and where there is no more room, whoever has the most gives way."""

import asyncio
from collections import Counter

import pytest

from contract.errors import Overloaded
from gateway.fair_queue import Entry, FairQueue

Queue = FairQueue[int, None]


async def entries(caller: str, *items: int) -> list[Entry[int, None]]:
    return [(caller, item, asyncio.get_running_loop().create_future()) for item in items]


def put(queue: Queue, *entries: Entry[int, None]) -> None:
    for entry in entries:
        queue.put(entry)


def items(taken: list[Entry[int, None]]) -> list[int]:
    return [item for _, item, _ in taken]


async def test_those_of_one_caller_go_one_after_the_other() -> None:
    queue = Queue(100)
    put(queue, *await entries("", *range(7)))
    assert [items(queue.take(3)) for _ in range(4)] == [[0, 1, 2], [3, 4, 5], [6], []]


async def test_each_caller_has_as_many_places_as_any_other() -> None:
    queue = Queue(2000)
    put(queue, *await entries("eve", *range(500)))
    put(queue, *await entries("ann", *range(3)), *await entries("bob", *range(500)))
    taken = Counter(caller for caller, _, _ in queue.take(100))
    assert taken["ann"] == 3
    assert sorted(taken.values()) == [3, 48, 49]


async def test_where_there_are_more_callers_than_places_they_go_in_turn() -> None:
    queue = Queue(100)
    for n in range(5):
        put(queue, *await entries(f"caller {n}", *range(10 * n, 10 * n + 4)))
    taken = [[item // 10 for item in items(queue.take(2))] for _ in range(10)]
    assert taken == [[0, 1], [2, 3], [4, 0], [1, 2], [3, 4]] * 2


async def test_where_it_is_full_the_last_of_whoever_has_the_most_gives_way() -> None:
    queue = Queue(4)
    of_eve, of_bob = await entries("eve", 1, 2, 3, 4), await entries("bob", 5, 6, 7)
    put(queue, *of_eve, *of_bob[:2])
    for _, item, future in of_eve:
        assert future.done() is (item > 2)
        if item > 2:
            with pytest.raises(Overloaded):
                await future
    with pytest.raises(Overloaded):  # they have as many by now
        put(queue, of_bob[2])
    assert sorted(items(queue.take(9))) == [1, 2, 5, 6]


async def test_of_one_caller_it_is_the_new_one_that_is_refused() -> None:
    queue = Queue(2)
    waiting = await entries("", 1, 2, 3)
    put(queue, *waiting[:2])
    with pytest.raises(Overloaded):
        put(queue, waiting[2])
    assert items(queue.take(9)) == [1, 2]


async def test_whoever_has_left_takes_nobodys_place() -> None:
    queue = Queue(3)
    waiting = await entries("eve", 1, 2, 3, 4, 5)
    put(queue, *waiting[:3])
    waiting[0][2].cancel()
    put(queue, waiting[3])
    waiting[1][2].cancel()
    assert items(queue.take(1)) == [3]
    put(queue, waiting[4])
    assert (len(queue), items(queue.take(9)), len(queue)) == (2, [4, 5], 0)


async def test_what_is_put_back_comes_first_each_caller_first_in_turn() -> None:
    queue = Queue(100)
    put(queue, *await entries("eve", 1, 2, 3, 4), *await entries("bob", 5, 6))
    taken = queue.take(4)
    assert items(taken) == [1, 2, 5, 6]
    queue.put_back(taken[1:])  # as if only the first one could be done
    taken = queue.take(4)
    assert items(taken) == [5, 6, 2, 3]
    queue.put_back(taken[1:])
    assert items(queue.take(4)) == [2, 3, 6, 4]
    assert len(queue) == 0
