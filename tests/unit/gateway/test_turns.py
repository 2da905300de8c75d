"""So many go at once, and callers in turn."""

import asyncio
from collections import Counter
from math import inf

import pytest

from contract.errors import Overloaded
from gateway.turns import Turns

MOST = 16
"""That wait for one caller."""


class Lists:
    """Counts what is under way; each ends by itself."""

    def __init__(self, at_once: int = 1, each: float = inf) -> None:
        self.turns = Turns(at_once, each=each, most_waiting=MOST)
        self.at_once = at_once
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.order: list[str] = []

    async def ask(self, caller: str) -> None:
        async with self.turns.turn(caller):
            self.under_way[caller] += 1
            self.most[caller] = max(self.most[caller], self.under_way[caller])
            assert self.under_way.total() <= self.at_once
            self.order.append(caller)
            try:
                await asyncio.sleep(0)
            finally:
                self.under_way[caller] -= 1

    def start(self, caller: str) -> "asyncio.Task[None]":
        return asyncio.create_task(self.ask(caller))


async def test_callers_go_in_turn_however_much_each_asks_for() -> None:
    lists = Lists()
    asked = [lists.start(caller) for caller in ["eve"] * 10 + ["bob"] * 2 + ["ann"]]
    await asyncio.gather(*asked)
    assert lists.order == ["eve", "eve", "bob", "ann", "eve", "bob", *["eve"] * 7]


async def test_so_many_go_at_once() -> None:
    lists = Lists(at_once=3)
    await asyncio.gather(*(lists.start("eve") for _ in range(10)))
    assert lists.most == {"eve": 3}


async def test_one_who_may_have_one_at_a_time_leaves_the_others_to_whoever_comes() -> None:
    lists = Lists(at_once=2, each=1)
    asked = [lists.start(caller) for caller in ["eve"] * 5 + ["bob"] * 3]
    await asyncio.gather(*asked)
    assert lists.most == {"eve": 1, "bob": 1}
    assert lists.order[:2] == ["eve", "bob"]


async def test_without_names_they_may_have_all() -> None:
    lists = Lists(at_once=2, each=1)
    await asyncio.gather(*(lists.start("") for _ in range(5)))
    assert lists.most == {"": 2}


async def test_one_who_asks_for_more_than_may_wait_is_refused_and_nobody_else() -> None:
    lists = Lists()
    of_eve = [lists.start("eve") for _ in range(MOST + 3)]
    of_bob = lists.start("bob")
    outcomes = await asyncio.gather(*of_eve, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [Overloaded] * 2
    await of_bob
    await lists.ask("eve")


async def test_without_names_any_number_waits_one_after_the_other() -> None:
    lists = Lists()
    await asyncio.gather(*(lists.start("") for _ in range(10 * MOST)))
    assert len(lists.order) == 10 * MOST


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("gone", [0, 1, 2])
@pytest.mark.parametrize("rounds", range(4))
async def test_whoever_leaves_holds_up_nobody(gone: int, rounds: int, at_once: int) -> None:
    """At any moment: before its turn, as it comes, and in the midst of it."""
    lists = Lists(at_once, each=1)
    asked = [lists.start("ann") for _ in range(3)]
    for _ in range(rounds):
        await asyncio.sleep(0)
    asked[gone].cancel()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [outcome for n, outcome in enumerate(outcomes) if n != gone] == [None, None]
    async with asyncio.timeout(100):
        await asyncio.gather(*(lists.ask(caller) for caller in ("ann", "bob", "eve")))
