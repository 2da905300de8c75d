"""Labelling what is uncertain does not make a model look worse than it is.

Of what `select` chooses, the figures' own intervals have the true value as often as they say, and
what ignores the weights does not.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pytest

from annotation.selection import Candidate, select
from monitoring import quality
from monitoring.figures import Figure, Interval
from tests.parts.confusion import weighted_confusion

LABELS = ("negative", "neutral", "positive")
TRIALS, CANDIDATES, COUNT, CONTROL = 100, 1_000, 150, 0.2


@dataclass(frozen=True)
class Hour:
    """Answers of an overconfident model, and what is true."""

    candidates: list[Candidate]
    answers: list[str]
    truths: list[str]


def hour(seed: int, error: float) -> Hour:
    """One answer in five is uncertain, and wrong in two of five times; others are wrong by `error`.

    Of those the model is sure by 0.9 and more. One in ten repeats another one, its error included;
    one in ten is of a slice that has drifted, where errors are three times as many.
    """
    random = np.random.default_rng(seed)
    unsure = random.random(CANDIDATES) < 0.2
    drifted = random.random(CANDIDATES) < 0.1
    wrong = random.random(CANDIDATES) < np.where(unsure, 0.4, error * np.where(drifted, 3, 1))
    confidence = np.where(unsure, random.uniform(0.36, 0.6), 1 - 0.1 * random.random(CANDIDATES))
    answers = random.integers(3, size=CANDIDATES)
    origin = np.arange(CANDIDATES)
    repeats = random.choice(CANDIDATES, CANDIDATES // 10, replace=False)
    origin[repeats] = random.choice(np.setdiff1d(origin, repeats), len(repeats))
    truths = (answers + wrong * random.integers(1, 3, size=CANDIDATES))[origin] % 3
    answers, confidence = answers[origin], confidence[origin]
    candidates = [
        Candidate(
            prediction_id=f"{number:04}",
            text=" ".join(f"{number_of * 7919 + word:x}" for word in range(12)),
            scores=scores(answer, sure),
            drifted=bool(drifted[number_of]),
        )
        for number, (number_of, answer, sure) in enumerate(
            zip(origin.tolist(), answers.tolist(), confidence.tolist(), strict=True)
        )
    ]
    return Hour(
        candidates, [LABELS[answer] for answer in answers], [LABELS[truth] for truth in truths]
    )


def scores(answer: int, confidence: float) -> dict[str, float]:
    rest = 1 - confidence
    return dict(
        zip(np.roll(LABELS, -answer).tolist(), (confidence, 0.7 * rest, 0.3 * rest), strict=True)
    )


def figures(rows: Iterable[tuple[str, str, float]]) -> dict[str, Figure]:
    """Of (answer, truth, weight)."""
    found = weighted_confusion(rows)
    return {figure.metric: figure for figure in (quality.accuracy(found), *quality.f1(found))}


def has(interval: Interval | None, value: float) -> bool:
    assert interval is not None
    return interval.low <= value <= interval.high


@pytest.mark.parametrize("error", [0.02, 0.08])
def test_the_intervals_have_the_true_figures_in_90_of_100_trials(error: float) -> None:
    metrics = ("accuracy", "f1_macro", "f1:negative")
    weighted, plain = dict.fromkeys(metrics, 0), dict.fromkeys(metrics, 0)
    for seed in range(TRIALS):
        of = hour(seed, error)
        true = figures(zip(of.answers, of.truths, [1.0] * CANDIDATES, strict=True))
        chosen = select(of.candidates, COUNT, CONTROL, seed)
        rows = [int(one.prediction_id) for one in chosen]
        said = [(of.answers[row], of.truths[row]) for row in rows]
        found = figures((*pair, one.weight) for pair, one in zip(said, chosen, strict=True))
        ignored = figures((*pair, 1.0) for pair in said)
        for metric in metrics:
            weighted[metric] += has(found[metric].interval, true[metric].value)
            plain[metric] += has(ignored[metric].interval, true[metric].value)
    assert min(weighted.values()) >= 90, weighted
    assert max(plain.values()) <= 20, plain
