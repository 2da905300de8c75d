"""Pairs of turns: the same load on both checkouts, one right after the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from benchmarks.against.lines import Line, wait_until_answered
from benchmarks.load import Load, LoadFailedError
from benchmarks.mesh import Mesh
from benchmarks.processes import PartDiedError, Parts, measure, wait_until_idle

OLD, NEW = "old", "new"
WARM_UP_S = 1
TRIES = 3
"""Of a turn: Triton may fall when it goes on after a stop, and is started again."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One load on one side."""

    pair: int
    line: str
    side: str
    """OLD or NEW."""
    load: Load
    cpu_s: dict[str, float]
    """By part, until the last of what the load led to was done."""
    foreign_share: float
    """Of the machine, taken by others meanwhile."""

    @property
    def cpu_s_per_1000(self) -> float:
        """Seconds of CPU for 1,000 answers, of all parts."""
        return sum(self.cpu_s.values()) / self.load.answers * 1000


class Sides(NamedTuple):
    """The two stacks."""

    old: Mesh
    new: Mesh

    def pick(self, side: str) -> tuple[Mesh, Mesh]:
        """The one of that name, and the other."""
        return (self.old, self.new) if side == OLD else (self.new, self.old)


def order(pair: int, position: int) -> tuple[str, str]:
    """Who comes first changes with each pair, and from line to line.

    What drifts within a pair then helps each side as often as it harms it.
    """
    return (OLD, NEW) if (pair + position) % 2 == 0 else (NEW, OLD)


def take_turns(sides: Sides, lines: Sequence[Line], *, pairs: int, seconds: int) -> Iterator[Turn]:
    """Every line on both sides, again and again."""
    for pair in range(pairs):
        for position, line in enumerate(lines):
            for side in order(pair, position):
                yield _try_turn(sides, line, side, pair=pair, seconds=seconds)


def _try_turn(sides: Sides, line: Line, side: str, *, pair: int, seconds: int) -> Turn:
    mesh, other = sides.pick(side)
    for _ in range(TRIES - 1):
        with suppress(LoadFailedError, PartDiedError), other.paused():
            return take_turn(mesh, line, side, pair=pair, seconds=seconds)
    with other.paused():
        return take_turn(mesh, line, side, pair=pair, seconds=seconds)


def take_turn(mesh: Mesh, line: Line, side: str, *, pair: int, seconds: int) -> Turn:
    """One load, once the stack is warm and at rest."""
    wait_until_answered(mesh)
    load = partial(line.load, mesh)
    return time_turn(mesh.parts(), line.name, load, side, pair=pair, seconds=seconds)


def time_turn(
    parts: Parts, line: str, load: Callable[[int], Load], side: str, *, pair: int, seconds: int
) -> Turn:
    """The same of any parts. load: for so many seconds."""
    load(WARM_UP_S)
    wait_until_idle(parts)
    with measure(parts) as usage:
        done = load(seconds)
        wait_until_idle(parts)
    return Turn(
        pair=pair,
        line=line,
        side=side,
        load=done,
        cpu_s=usage.cpu_s,
        foreign_share=usage.foreign_share,
    )
