"""Pairs of turns: who comes when, and what each side does meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.against import turns
from benchmarks.against.lines import Line
from benchmarks.against.turns import NEW, OLD, Sides, order, take_turns
from benchmarks.load import Load, LoadFailedError
from benchmarks.mesh import Mesh
from benchmarks.processes import PartDiedError

LOAD = Load(answers=200, failed=0, seconds=2.0, p50_ms=1.0, p99_ms=2.0)


class Pausable(Mesh):
    """A stack without processes."""

    def __init__(self, name: str, events: list[str]) -> None:
        self._said = name
        self._events = events
        self.is_paused = False

    @property
    def name(self) -> str:
        return self._said

    def parts(self) -> dict[str, int]:
        return {}

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.is_paused = True
        self._events.append(f"{self.name} pauses")
        try:
            yield
        finally:
            self.is_paused = False


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(turns, "wait_until_idle", lambda parts: None)
    monkeypatch.setattr(turns, "wait_until_answered", lambda mesh: None)
    return []


@pytest.fixture
def sides(events: list[str]) -> Sides:
    return Sides(Pausable(OLD, events), Pausable(NEW, events))


def line(name: str, events: list[str]) -> Line:
    def load(mesh: Mesh, seconds: int) -> Load:
        events.append(f"{mesh.name} {name} {seconds}")
        return LOAD

    return Line(name=name, load=load)


def test_who_comes_first_changes_with_each_pair_and_each_line() -> None:
    assert [order(pair, 0)[0] for pair in range(4)] == [OLD, NEW, OLD, NEW]
    assert [order(0, position)[0] for position in range(4)] == [OLD, NEW, OLD, NEW]


def test_each_side_comes_first_as_often_as_the_other() -> None:
    first = [order(pair, position)[0] for pair in range(4) for position in range(5)]

    assert first.count(OLD) == first.count(NEW)


def test_each_pair_measures_each_line_on_both_sides(events: list[str], sides: Sides) -> None:
    lines = [line("a", events), line("b", events)]

    found = list(take_turns(sides, lines, pairs=2, seconds=2))

    assert [(t.pair, t.line, t.side) for t in found] == [
        (0, "a", OLD),
        (0, "a", NEW),
        (0, "b", NEW),
        (0, "b", OLD),
        (1, "a", NEW),
        (1, "a", OLD),
        (1, "b", OLD),
        (1, "b", NEW),
    ]


def test_the_other_side_rests_while_one_is_loaded(events: list[str], sides: Sides) -> None:
    list(take_turns(sides, [line("a", events)], pairs=1, seconds=3))

    warm_up = turns.WARM_UP_S
    assert events == [
        f"{NEW} pauses",
        f"{OLD} a {warm_up}",
        f"{OLD} a 3",
        f"{OLD} pauses",
        f"{NEW} a {warm_up}",
        f"{NEW} a 3",
    ]


def test_nobody_stays_paused_when_a_load_fails(events: list[str], sides: Sides) -> None:
    def fail(mesh: Mesh, seconds: int) -> Load:
        raise LoadFailedError(mesh.name)

    with pytest.raises(LoadFailedError):
        list(take_turns(sides, [Line(name="a", load=fail)], pairs=1, seconds=2))
    assert not any(side.is_paused for side in sides if isinstance(side, Pausable))


@pytest.mark.parametrize("failure", [LoadFailedError("once"), PartDiedError("once")])
def test_a_turn_that_fails_is_taken_again(sides: Sides, failure: Exception) -> None:
    failures = iter([failure])

    def fail_once(mesh: Mesh, seconds: int) -> Load:
        for failure in failures:
            raise failure
        return LOAD

    found = list(take_turns(sides, [Line(name="a", load=fail_once)], pairs=1, seconds=2))
    assert [turn.side for turn in found] == [OLD, NEW]


def test_nobody_stays_paused_between_turns(events: list[str], sides: Sides) -> None:
    for _ in take_turns(sides, [line("a", events)], pairs=1, seconds=2):
        assert not any(side.is_paused for side in sides if isinstance(side, Pausable))
