"""Accuracy, F1, calibration and Brier score, and that their intervals keep their word."""

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from monitoring import quality
from monitoring.counts import Bin, Brier, Counts, Weighted
from monitoring.figures import Figure
from tests.parts.confusion import weighted_confusion

LABELS = ("negative", "neutral", "positive")


def confusion_of(answers: list[str], truths: list[str]) -> dict[tuple[str, str, str], Weighted]:
    """Of rows that each weigh 1."""
    found = Counter(zip(answers, truths, strict=True))
    return {(*pair, "0"): Weighted(rows, rows, rows) for pair, rows in found.items()}


def drawn(rows: int, seed: int) -> tuple[list[str], list[str]]:
    random = np.random.default_rng(seed)
    truths = random.choice(LABELS, rows, p=(0.5, 0.2, 0.3))
    answers = np.where(random.random(rows) < 0.7, truths, random.choice(LABELS, rows))
    return answers.tolist(), truths.tolist()


def by_metric(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.metric: figure for figure in figures}


@pytest.mark.parametrize("rows", [1, 2, 7, 400])
def test_accuracy_and_f1_are_those_of_scikit_learn_to_the_last_digit(rows: int) -> None:
    answers, truths = drawn(rows, seed=rows)
    found = confusion_of(answers, truths)
    f1 = by_metric(list(quality.f1(found)))
    assert quality.accuracy(found).value == accuracy_score(truths, answers)
    seen = sorted({*answers, *truths})
    of_each = f1_score(truths, answers, labels=seen, average=None, zero_division=0.0)
    assert [f1[f"f1:{label}"].value for label in seen] == of_each.tolist()
    assert f1["f1_macro"].value == sum(of_each.tolist()) / len(seen)


def test_weights_count_as_so_many_rows() -> None:
    rows = [
        ("negative", "negative", 3.0),
        ("positive", "negative", 2.0),
        ("positive",) * 2 + (5.0,),
    ]
    answers = [answer for answer, _, weight in rows for _ in range(int(weight))]
    truths = [truth for _, truth, weight in rows for _ in range(int(weight))]
    weighted, plain = weighted_confusion(rows), confusion_of(answers, truths)
    assert quality.accuracy(weighted).value == quality.accuracy(plain).value
    assert [f.value for f in quality.f1(weighted)] == [f.value for f in quality.f1(plain)]
    assert quality.accuracy(weighted).rows == 3
    wide, narrow = quality.accuracy(weighted).interval, quality.accuracy(plain).interval
    assert wide is not None
    assert narrow is not None
    assert wide.low < narrow.low  # it knows that it was made from three rows
    assert wide.high > narrow.high


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro", "f1:neutral"])
def test_an_interval_has_the_true_value_as_often_as_it_says(metric: str) -> None:
    many = confusion_of(*drawn(400_000, seed=0))
    true = by_metric([quality.accuracy(many), *quality.f1(many)])[metric].value
    hits = 0
    for seed in range(1, 201):
        found = confusion_of(*drawn(100, seed=seed))
        interval = by_metric([quality.accuracy(found), *quality.f1(found)])[metric].interval
        assert interval is not None
        hits += interval.low <= true <= interval.high
    assert 180 <= hits <= 200


def test_labelling_the_hard_ones_does_not_make_a_model_look_worse_than_it_is() -> None:
    """All uncertain answers are labelled, and one in twenty of the others, as a control.

    Then the weighted interval has the true accuracy in at least 90 of 100 trials, and what ignores
    the weights is wrong in all of them.
    """
    covered = ignored = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        confidence = random.beta(4, 1.2, 5_000)
        right = random.random(5_000) < confidence
        labelled = [
            ("positive", "positive" if ok else "negative", 1.0 if sure < 0.5 else 20.0)
            for sure, ok in zip(confidence, right, strict=True)
            if sure < 0.5 or random.random() < 0.05
        ]
        found = quality.accuracy(weighted_confusion(labelled)).interval
        plain = quality.accuracy(weighted_confusion([(*row[:2], 1.0) for row in labelled])).interval
        assert found is not None
        assert plain is not None
        covered += found.low <= right.mean() <= found.high
        ignored += plain.low <= right.mean() <= plain.high
    assert covered >= 90
    assert ignored == 0


def test_one_class_only_is_told_with_what_is_known_of_it() -> None:
    found = confusion_of(["positive"] * 20, ["positive"] * 20)
    for figure in (quality.accuracy(found), *quality.f1(found)):
        assert figure.value == 1
        assert figure.interval is not None
        # A row that is wrong is one of 20 for the accuracy, and one of 39 parts for the F1.
        assert 0.8 < figure.interval.low < (0.9 if figure.metric == "accuracy" else 0.95)
        assert figure.interval.high == 1


def test_without_labels_there_are_no_figures() -> None:
    assert list(quality.figures(Counts())) == []


def test_the_calibration_error_is_the_mean_distance_of_confidence_and_being_right() -> None:
    bins = {"7": Bin(4, 4.0, 4.0, right=2.0, confidence=3.0), "9": Bin(12, 12.0, 12.0, 12.0, 11.4)}
    figure = quality.calibration_error(bins)
    assert figure.value == pytest.approx((4 * abs(0.75 - 0.5) + 12 * abs(0.95 - 1)) / 16)
    assert figure.rows == 16
    assert figure.interval is not None
    assert figure.interval.low <= figure.value <= figure.interval.high
    assert quality.calibration_error(bins) == figure  # the same each time that it is made


def test_the_brier_score_is_a_mean_with_its_interval() -> None:
    scores = np.random.default_rng(1).random(50)
    sums = Brier(50, 50.0, scores.sum(), 50.0, scores.sum(), (scores**2).sum())
    figure = quality.brier(sums)
    assert figure.value == pytest.approx(scores.mean())
    assert figure.interval is not None
    half = 1.96 * scores.std() / np.sqrt(50)
    assert figure.interval.low == pytest.approx(scores.mean() - half, abs=1e-4)
