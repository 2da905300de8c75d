"""Whether a rule holds now, from the figures of hours that are over.

An hour is bad, good, or says nothing: without the figure (nobody asked, no labels, no reference),
with fewer rows than the rule wants, or with a value that is no number. Between the threshold and
`clear` it is neither. An alert fires with the last of so many bad hours in a row, and is over with
a good one; what says nothing begins a new row, and resolves nothing.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from contract.alert_rules import AlertRule

_HOUR = timedelta(hours=1)


class Judgement(Enum):
    """What an hour says to a rule."""

    BAD = "bad"
    NEITHER = "neither"
    """Not bad, and not so good that an alert is over."""
    GOOD = "good"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class HourFigure:
    """The figure that a rule watches, of a version's hour."""

    hour: datetime
    value: float
    low: float | None
    high: float | None
    rows: int
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a rule stands after the last hour."""

    fired: HourFigure | None
    """With which it fired, if it holds and did not before the first hour."""
    holds: bool
    cleared: datetime | None
    """The hour with which it last ended."""


def judged(rule: AlertRule, figure: HourFigure) -> Judgement:
    """What a figure says. By the interval, its end nearer to good must be beyond the threshold."""
    end = figure.low if rule.is_above else figure.high
    decisive = end if rule.by_interval else figure.value
    if decisive is None or math.isnan(decisive) or figure.rows < rule.min_rows:
        return Judgement.UNKNOWN
    sign = 1 if rule.is_above else -1
    if sign * decisive > sign * rule.threshold:
        return Judgement.BAD
    return Judgement.GOOD if sign * decisive <= sign * rule.clear else Judgement.NEITHER


def standing(rule: AlertRule, figures: Iterable[HourFigure], *, holds: bool = False) -> Standing:
    """Go through a version's hours, the oldest first; those that are missing say nothing.

    holds: whether it already did before them.
    """
    fired: HourFigure | None = None
    cleared: datetime | None = None
    row = 0
    before: datetime | None = None
    for figure in figures:
        said = judged(rule, figure)
        is_next = before is not None and figure.hour - before == _HOUR
        row = (row + 1 if is_next else 1) if said is Judgement.BAD else 0
        before = figure.hour
        if holds and said is Judgement.GOOD:
            holds, fired, cleared = False, None, figure.hour
        elif not holds and row >= rule.hours:
            holds, fired = True, figure
    return Standing(fired, holds, cleared)
