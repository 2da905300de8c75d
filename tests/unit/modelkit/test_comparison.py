"""Whether one version is better than another."""

import numpy as np
import pytest

from modelkit.abstract_model import Example, Predictions
from modelkit.comparison import Comparison, Verdict, compare
from tests.unit.modelkit.counter import Counter

EXAMPLES = [Example(f"d-{n}", "text", label=("few", "many")[n % 2]) for n in range(400)]


def predictions(right: float, seed: int) -> Predictions:
    """Of a version that is right for about this share of the examples."""
    truth = np.arange(len(EXAMPLES)) % 2
    wrong = np.random.default_rng(seed).random(len(EXAMPLES)) > right
    scores = np.eye(2, dtype=np.float32)[truth ^ wrong]
    return Predictions(scores, scores[:, :1], scores[:, 0])


@pytest.mark.parametrize(
    ("candidate", "champion", "verdict"),
    [
        (0.9, 0.7, Verdict.BETTER),
        (0.7, 0.9, Verdict.WORSE),
        (0.8, 0.8, Verdict.NOT_DISTINGUISHABLE),
    ],
)
def test_a_clear_difference_is_seen(candidate: float, champion: float, verdict: Verdict) -> None:
    ours, theirs = predictions(candidate, 1), predictions(champion, 2)
    comparison = compare(Counter(), EXAMPLES, ours, theirs, seed=0)
    assert comparison.verdict is verdict
    assert comparison.metric == "f1_macro"
    assert comparison.low < comparison.difference < comparison.high
    assert comparison.difference == comparison.candidate - comparison.champion
    assert comparison.candidate == Counter().eval(EXAMPLES, ours)["f1_macro"]


def test_examples_are_compared_in_pairs() -> None:
    """Both are wrong on the same 40 % of the examples but for 8: unpaired, nobody could tell."""
    champion = predictions(0.6, 1)
    scores = champion.scores.copy()
    truth = np.arange(len(EXAMPLES)) % 2
    mended = np.flatnonzero(scores.argmax(axis=1) != truth)[:8]
    scores[mended] = scores[mended, ::-1]
    comparison = compare(Counter(), EXAMPLES, champion._replace(scores=scores), champion, seed=0)
    assert comparison.verdict is Verdict.BETTER
    assert comparison.difference < 0.03


def test_the_same_answers_differ_by_nothing() -> None:
    same = predictions(0.8, 1)
    comparison = compare(Counter(), EXAMPLES, same, same, seed=0)
    assert (comparison.low, comparison.difference, comparison.high) == (0, 0, 0)
    assert comparison.verdict is Verdict.NOT_DISTINGUISHABLE


def test_the_same_seed_gives_the_same_interval() -> None:
    ours, theirs = predictions(0.8, 1), predictions(0.75, 2)
    first = compare(Counter(), EXAMPLES, ours, theirs, seed=7)
    assert compare(Counter(), EXAMPLES, ours, theirs, seed=7) == first
    assert compare(Counter(), EXAMPLES, ours, theirs, seed=8) != first


@pytest.mark.parametrize(
    ("difference", "low", "high", "sentence"),
    [
        (0.021, 0.012, 0.031, "better than version 5: pearson_r +0.021 (95 % 0.012 to 0.031)"),
        (-0.021, -0.03, -0.01, "worse than version 5: pearson_r -0.021 (95 % -0.030 to -0.010)"),
        (
            *(0.0, -0.0001, 0.1),
            "not distinguishable from version 5: pearson_r +0.000 (95 % 0.000 to 0.100)",
        ),
    ],
)
def test_it_is_said_in_one_sentence(
    difference: float, low: float, high: float, sentence: str
) -> None:
    comparison = Comparison("pearson_r", 0.5, 0.5, difference, low, high)
    assert comparison.sentence("7", "5") == f"version 7 is {sentence}"
