"""Which predictions are worth a person's time."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prediction that may be chosen."""

    prediction_id: str
    text: str
    scores: Mapping[str, float]
    drifted: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """One that is."""

    prediction_id: str
    choice: Literal["uncertain", "drifted", "control"]
    weight: float
    """1 / the probability with which it was chosen."""


def select(
    candidates: Sequence[Candidate], count: int, control_share: float, seed: int
) -> list[Chosen]:
    """A control by chance only."""
    chance = random.Random(seed)  # noqa: S311
    drawn = chance.sample(list(candidates), min(count, len(candidates)))
    weight = len(candidates) / max(len(drawn), 1)
    return [Chosen(one.prediction_id, "control", weight) for one in drawn]
