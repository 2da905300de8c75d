"""What the database counts of the rows of a version and a slice: all that figures are made of."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

LENGTH, CONFIDENCE = "length", "confidence"


class Weighted(NamedTuple):
    """Labelled rows that are alike: how many, and the sums of their weights and of the squares."""

    rows: int
    weight: float
    square: float


class Bin(NamedTuple):
    """Labelled rows of one bin of confidence; right and confidence are weighted sums."""

    rows: int
    weight: float
    square: float
    right: float
    confidence: float


class Brier(NamedTuple):
    """Of labelled rows with scores: sums over each one's Brier score b and weight w."""

    rows: int
    w: float
    wb: float
    ww: float
    wwb: float
    wwbb: float


class Words(NamedTuple):
    """Of texts with words: sums over each one's words w and words u that the reference lacks."""

    rows: int
    w: float
    u: float
    ww: float
    wu: float
    uu: float


Histogram: TypeAlias = "Counter[str]"


@dataclass(slots=True)
class Counts:
    """Of one version and one slice, in an hour or another window."""

    endings: "Counter[tuple[str, str]]" = field(default_factory=Counter)
    """(state, reason) -> rows."""
    seconds: tuple[float, ...] = ()
    """The 50th, 95th and 99th percentile of how long answers and failures took."""
    finished: int = 0
    """Rows that those are of."""
    labels: Histogram = field(default_factory=Counter)
    confidences: Histogram = field(default_factory=Counter)
    """Bin -> rows: "0" is 0 to 0.1, "9" is 0.9 to 1."""
    no_confidence: int = 0
    """Answers whose confidence is no number."""
    lengths: Histogram = field(default_factory=Counter)
    """Bin -> rows: "5" is 32 to 63 characters, by the power of two."""
    words: Words | None = None
    confusion: dict[tuple[str, str, str], Weighted] = field(default_factory=dict)
    """(answer, truth, class of weight) -> labelled rows: "3" is weights of 8 to 16."""
    calibration: dict[str, Bin] = field(default_factory=dict)
    """Bin of confidence -> labelled rows."""
    brier: Brier | None = None

    @property
    def rows(self) -> int:
        """All, whatever became of them."""
        return sum(self.endings.values())

    def add(self, kind: str, key: list[str], rows: int, sums: list[float]) -> None:
        """Take one line of the statement `counts`."""
        match kind:
            case "ending":
                self.endings[key[0], key[1]] = rows
            case "seconds":
                self.finished, self.seconds = rows, tuple(sums)
            case "label":
                self.labels[key[0]] = rows
            case "confidence":
                self.confidences[key[0]] = rows
            case "no confidence":
                self.no_confidence = rows
            case "length":
                self.lengths[key[0]] = rows
            case "words":
                self.words = Words(rows, *sums)
            case "confusion":
                self.confusion[key[0], key[1], key[2]] = Weighted(rows, *sums)
            case "calibration":
                self.calibration[key[0]] = Bin(rows, *sums)
            case "brier":
                self.brier = Brier(rows, *sums)
            case _:
                raise ValueError(f"counts of an unknown kind: {kind}")


def by_slice(lines: Iterable[tuple[Any, ...]]) -> dict[str, Counts]:
    """What the statement `counts` answers: slice, kind, key, rows, sums. All rows are of ""."""
    found: dict[str, Counts] = {}
    for slice_, *line in lines:
        found.setdefault(slice_, Counts()).add(*line)
    return found
