"""Which predictions are worth a person's time, and how much each then weighs.

Each of n candidates has a known probability p > 0 to be chosen, and all of them in sum `count`:

    p = min(1, c + t w),  c = control_share count / n,  t such that the sum is `count`

c, the control, is alike for all. By w goes the rest: half of it to drifted candidates, if there are
any, and alike, since the scores of a model say little about what it was not made for; all else by
the square of how unsure the model is. Near duplicates share the w of one of them. So each has its
chance, what is thinned out too, and with weights 1 / p a mean over the labelled ones estimates that
over all (Hájek's, as monitoring/README.md has it); the best ones chosen for sure would leave the
others without any. No weight is above n / (control_share count): a larger control makes figures
surer, a smaller one finds more of the model's errors.

The sample is systematic: the candidates lie on a line, each as long as its p, and points at a
distance of 1 from a random start choose. So its size is fixed, and it spreads over near duplicates,
which lie side by side, and over uncertainty, in whose order the others lie.
Source: Särndal, Swensson, Wretman, Model Assisted Survey Sampling, 1992, sections 3.6 and 5.7;
Madow, Annals of Mathematical Statistics 20, 1949; Tillé, Sampling Algorithms, 2006, section 7.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from annotation.near_duplicates import Indices, groups
from annotation.uncertainty import uncertainty

Floats: TypeAlias = npt.NDArray[np.float64]
Choice: TypeAlias = Literal["uncertain", "drifted", "control"]

DRIFTED_SHARE = 0.5
"""Of what is not the control, if any candidates are of drifted slices."""
LEAST_UNCERTAINTY = 1e-3
"""So that where a model is sure of everything, it is chance that decides."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An answer that somebody could be asked about."""

    prediction_id: str
    text: str
    scores: Mapping[str, float]
    """By label; empty: unknown."""
    drifted: bool
    """Whether it is of a slice whose inputs or answers have drifted."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A prediction to be labelled."""

    prediction_id: str
    choice: Choice
    """Which part of the probability."""
    weight: float
    """1 / the whole probability: so many candidates does it stand for."""


def select(
    candidates: Sequence[Candidate], count: int, control_share: float, seed: int
) -> list[Chosen]:
    """Choose `count` of the candidates, or all where there are no more.

    They come in an order of chance, so that the first k are labelled without harm where time ends
    before the list does. The same candidates and seed give the same, in whatever order they are.
    A prediction is to be a candidate once: weights count it again each time that it is.
    control_share: of `count`, 0 < control_share <= 1. Raises ValueError.
    """
    if count < 0 or not 0 < control_share <= 1:
        raise ValueError(f"a count >= 0 and a share in (0, 1] are needed: {count}, {control_share}")
    found = sorted(candidates, key=lambda candidate: candidate.prediction_id)
    if len({candidate.prediction_id for candidate in found}) < len(found):
        raise ValueError("a candidate comes twice")
    count = min(count, len(found))
    if not count:
        return []
    random = np.random.default_rng(seed)
    unsure = np.array([uncertainty(candidate.scores) for candidate in found])
    drifted = np.array([candidate.drifted for candidate in found])
    group = groups([candidate.text for candidate in found])
    by_drift, by_uncertainty = wanted(unsure, drifted, group)
    control = control_share * count / len(found)
    chance = probabilities(by_drift + by_uncertainty, control, count)
    rows = random.permutation(_systematic(chance, _line(unsure, group), random.random()))
    # Each is said to be chosen by one part of its p, as often as that is of it. So those of the
    # control alone are an equal-probability sample of all.
    place = random.random(count) * chance[rows]
    drift = (chance - control) * by_drift / (by_drift + by_uncertainty)
    return [
        Chosen(
            found[row].prediction_id,
            "control" if at < control else "drifted" if at < control + drift[row] else "uncertain",
            float(1 / chance[row]),
        )
        for row, at in zip(rows, place, strict=True)
    ]


def wanted(unsure: Floats, drifted: npt.NDArray[np.bool_], group: Indices) -> tuple[Floats, Floats]:
    """How much each candidate is wanted, as it drifted and as it is uncertain; in sum 1."""
    alone = 1 / np.bincount(group)[group]
    by_uncertainty = np.maximum(unsure, LEAST_UNCERTAINTY) ** 2 * alone
    by_uncertainty /= by_uncertainty.sum()
    by_drift = drifted * alone
    if not drifted.any():
        return by_drift, by_uncertainty
    return DRIFTED_SHARE * by_drift / by_drift.sum(), (1 - DRIFTED_SHARE) * by_uncertainty


def probabilities(wants: Floats, control: float, count: int) -> Floats:
    """min(1, control + t wants), each wants > 0, with the t for which the sum is `count`."""
    chance = np.ones(len(wants))
    if count == len(wants):
        return chance
    order = np.argsort(-wants, kind="stable")
    certain = np.arange(len(wants))  # so many of those that are wanted most may have 1
    rest = len(wants) - certain
    t = (count - certain - control * rest) / np.cumsum(wants[order[::-1]])[::-1]
    first = int(np.argmax(control + t * wants[order] < 1))
    chance[order[first:]] = control + t[first] * wants[order[first:]]
    return chance


def _line(unsure: Floats, group: Indices) -> Indices:
    """The candidates' order: groups by their most uncertain one, each with its own together."""
    most = np.zeros(group.max() + 1)
    np.maximum.at(most, group, unsure)
    order: Indices = np.lexsort((group, -most[group]))
    return order


def _systematic(chance: Floats, line: Indices, start: float) -> Indices:
    """Those in whose length a point falls; who has probability 1 needs none."""
    certain = line[chance[line] == 1]
    rest = line[chance[line] < 1]
    points = start + np.arange(round(chance[rest].sum()))
    ends = np.cumsum(chance[rest])
    # The last end misses the whole number by a rounding, and no point may fall behind it.
    fell = np.minimum(np.searchsorted(ends, points, side="right"), len(rest) - 1)
    return np.concatenate([certain, rest[fell]])
