"""Limits of texts a second, on a clock of the test's own."""

import asyncio
from itertools import count

import pytest

from contract.access import Limits
from contract.access_errors import RateLimited
from gateway import rates as module
from gateway.metrics.texts import Limited
from gateway.rates import Rates


class Clock:
    """Stands still until it is put forward."""

    now = 1e6

    def __call__(self) -> float:
        return self.now


def passed(rates: Rates, caller: str = "ann", model: str = "a", *, of: int = 100) -> int:
    """How many of so many texts at once."""
    return sum(is_taken(rates, caller, model) for _ in range(of))


def is_taken(rates: Rates, caller: str, model: str) -> bool:
    try:
        rates.take(caller, model)
    except RateLimited:
        return False
    return True


def counted(limited: Limited) -> dict[str, float]:
    (family,) = limited.collect()
    return {sample.labels["limit"]: sample.value for sample in family.samples}


@pytest.mark.parametrize("rate", [1, 3, 7, 10, 49])
def test_a_second_of_texts_passes_at_once_and_then_as_they_come(rate: int) -> None:
    clock = Clock()
    rates = Rates(Limits(caller=rate), Limited(), clock)
    assert passed(rates) == rate
    clock.now += 1 / rate
    assert passed(rates) == 1
    clock.now += 1000
    assert passed(rates) == rate


def test_callers_have_a_limit_each_and_share_that_of_a_model() -> None:
    limited = Limited()
    rates = Rates(Limits(caller=10, model=15, models={"b": 5}), limited, Clock())
    assert [passed(rates, caller, of=12) for caller in ("ann", "bob", "eve")] == [10, 5, 1]
    assert passed(rates, "eve", "b", of=12) == 5
    assert counted(limited) == {"caller": 2, "model": 7 + 11 + 7}


def test_a_model_may_have_no_limit_where_others_have_one() -> None:
    rates = Rates(Limits(model=5, models={"b": 0}), Limited(), Clock())
    assert [passed(rates, model=model) for model in ("a", "b")] == [5, 100]


def test_what_is_refused_takes_from_no_limit() -> None:
    clock = Clock()
    rates = Rates(Limits(caller=10, models={"b": 1}), Limited(), clock)
    assert passed(rates, model="b") == 1
    assert passed(rates, model="a") == 9


def test_a_refusal_tells_the_limit() -> None:
    rates = Rates(Limits(caller=1), Limited(), Clock())
    rates.take("ann", "a")
    with pytest.raises(RateLimited) as raised:
        rates.take("ann", "a")
    assert raised.value.metadata == {"limit": "caller", "texts_per_second": "1"}
    assert raised.value.retry_delay_s


async def test_without_limits_nothing_is_counted_or_waited_for() -> None:
    rates = Rates(Limits(), Limited(), Clock())
    assert passed(rates) == 100
    for _ in range(100):
        await rates.turn("ann", "a")


def test_so_many_are_remembered_and_the_full_ones_are_forgotten_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST", 100)
    clock = Clock()
    rates = Rates(Limits(caller=2), Limited(), clock)
    assert passed(rates, "ann") == 2
    clock.now += 0.6
    assert is_taken(rates, "ann", "a")  # full again in 0.9 s
    for number in range(99):
        assert is_taken(rates, f"caller {number}", "a")  # full again in 0.5 s
    clock.now += 0.7
    assert is_taken(rates, "one more", "a")
    assert len(rates._caller._buckets) == 2
    assert passed(rates, "ann") == 1
    for number in range(1000):
        assert is_taken(rates, f"caller {number}", "a")
        assert len(rates._caller._buckets) <= 101
    assert passed(rates, "ann") == 0  # the emptiest is kept


async def test_whoever_waits_gets_a_turn_one_after_the_other() -> None:
    ticks = count()
    rates = Rates(Limits(caller=1000, model=500), Limited(), lambda: next(ticks) / 10_000)
    order: list[int] = []

    async def one(number: int) -> None:
        await rates.turn("ann", "a")
        order.append(number)

    async with asyncio.timeout(100), asyncio.TaskGroup() as group:
        for number in range(550):
            group.create_task(one(number))
    assert order == list(range(550))
    assert next(ticks) / 10_000 >= 50 / 500  # the time that the clock has shown meanwhile


async def test_callers_who_wait_for_one_model_have_equal_parts_of_it() -> None:
    """However many streams each of them has."""
    ticks = count()
    rates = Rates(Limits(model=500), Limited(), lambda: next(ticks) / 10_000)
    while is_taken(rates, "eve", "a"):
        pass
    served: list[str] = []

    async def stream(caller: str) -> None:
        while True:
            await rates.turn(caller, "a")
            served.append(caller)
            await asyncio.sleep(0)

    streams = [asyncio.create_task(stream(caller)) for caller in ["eve"] * 20 + ["bob"]]
    async with asyncio.timeout(100):
        while len(served) < 200:  # noqa: ASYNC110
            await asyncio.sleep(0)
    for one in streams:
        one.cancel()
    assert served.count("bob") >= 0.4 * len(served)


@pytest.mark.parametrize("others", [0, 1, 20])
async def test_who_does_not_wait_has_his_part_too(others: int) -> None:
    """Beside one who sends without end, and another's streams that wait."""
    clock = Clock()
    rates = Rates(Limits(model=500), Limited(), clock)
    passed(rates, "eve", of=1000)
    waiting = [asyncio.create_task(rates.turn("bob", "a")) for _ in range(others)]
    texts = {"eve": 0, "ann": 0}
    for _ in range(1000):
        clock.now += 0.001
        for caller in ("eve", "ann", "eve"):
            texts[caller] += is_taken(rates, caller, "a")
        await asyncio.sleep(0)
    for one in waiting:
        one.cancel()
    parts = 3 if others else 2
    assert texts["ann"] >= 0.8 * 500 / parts
    assert sum(texts.values()) <= 500 + 2  # each may be one text ahead


def test_parts_are_of_the_limit_however_many_callers_there_are() -> None:
    clock = Clock()
    rates = Rates(Limits(model=50), Limited(), clock)
    assert passed(rates, "eve", of=100) == 50
    texts = 0
    for tick in range(10_000):
        clock.now += 0.001
        texts += is_taken(rates, f"caller {tick % 1000}", "a")
    assert 500 <= texts <= 550  # in ten seconds, with another second's worth on credit


async def test_whoever_leaves_the_line_holds_up_nobody() -> None:
    rates = Rates(Limits(caller=50), Limited(), asyncio.get_running_loop().time)
    for _ in range(50):
        rates.take("ann", "a")
    waiting = [asyncio.create_task(rates.turn("ann", "a")) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    async with asyncio.timeout(100):
        await asyncio.gather(*waiting, return_exceptions=True)
    assert [task.cancelled() for task in waiting] == [True, False, False]
