"""Pauses between tries: they grow, up to a bound, and are forgotten with what they are of."""

import time

import pytest

from features import pauses as pauses_module
from features.pauses import Pauses


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_they_grow_up_to_a_bound(clock: Clock) -> None:
    pauses = Pauses()
    lengths = []
    for _ in range(12):
        pauses.failed("x")
        start = clock.now
        while not pauses.is_due("x"):
            clock.now += 0.5
        lengths.append(clock.now - start)
    assert lengths[:4] == [1, 2, 4, 8]
    assert lengths[-1] == pauses_module.MAX_S


def test_only_the_first_failure_is_news_until_it_is_forgotten(clock: Clock) -> None:
    pauses = Pauses()
    assert pauses.is_due("x")
    assert [pauses.failed("x"), pauses.failed("x")] == [True, False]
    assert not pauses.is_due("x")
    assert pauses.is_due("y")
    pauses.keep(["y"])
    assert pauses.is_due("x")
    assert pauses.failed("x")
