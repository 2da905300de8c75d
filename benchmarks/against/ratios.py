"""From turns to ratios of the new side to the old, with how sure they are."""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.against.turns import NEW, OLD, Turn
from benchmarks.bootstrap import Figure, draws

Measure = Callable[[Turn], float]

MEASURES: dict[str, Measure] = {
    "answers/s": lambda turn: turn.load.rate,
    "p50 ms": lambda turn: turn.load.p50_ms,
    "CPU s/1k": lambda turn: turn.cpu_s_per_1000,
}
RATE, P50, CPU = MEASURES


class Comparison(NamedTuple):
    """One figure of one line."""

    old: float
    """The median of its turns."""
    new: float
    ratio: Figure
    """New to old: the median over the pairs."""


def compare(turns: Sequence[Turn]) -> dict[tuple[str, str], Comparison]:
    """By line and measure."""
    return {
        (line, name): _comparison(
            _values(turns, line, OLD, measure), _values(turns, line, NEW, measure)
        )
        for line in dict.fromkeys(turn.line for turn in turns)
        for name, measure in MEASURES.items()
    }


def share(turns: Sequence[Turn], line: str, of: str, side: str) -> Figure:
    """The rate of one line as a share of another's in the same pair, on one side."""
    rate = MEASURES[RATE]
    return median_ratio(_values(turns, line, side, rate), _values(turns, of, side, rate))


def median_ratio(upper: Sequence[float], lower: Sequence[float]) -> Figure:
    """Of values in pairs: the median of their ratios, and those of resampled pairs."""
    ratios = np.array(upper) / np.array(lower)
    return Figure(float(np.median(ratios)), np.median(ratios[draws(len(ratios))], axis=1))


def _comparison(old: Sequence[float], new: Sequence[float]) -> Comparison:
    return Comparison(statistics.median(old), statistics.median(new), median_ratio(new, old))


def _values(turns: Sequence[Turn], line: str, side: str, measure: Measure) -> list[float]:
    """In the order of the pairs."""
    chosen = sorted(
        (turn for turn in turns if turn.line == line and turn.side == side),
        key=lambda turn: turn.pair,
    )
    return [measure(turn) for turn in chosen]
