"""A figure: one number about a version's hour, with what is known of its certainty."""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self


class Interval(NamedTuple):
    """Where the true value lies, at 95 % confidence."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of quality_metrics, without its version, hour and slice."""

    metric: str
    """What it is of; behind a colon, of which label, reason or bin: "label_share:positive"."""
    value: float
    rows: int
    """Predictions that it was made from."""
    interval: Interval | None = None
    reference: str = ""
    """What it was compared with, in words; empty for what needs no comparison."""

    def against(self, reference: str) -> Self:
        """The same, saying what it was compared with."""
        return replace(self, reference=reference)
