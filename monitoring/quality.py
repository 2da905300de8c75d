"""How right a version is, by the labels that count: from its confusion, bins and sums.

Rows weigh the inverse of the probability with which they were chosen to be labelled, so that
labelling the hard ones does not make a model look worse than it is; a row of which that is not
known weighs 1. All means are Hájek's, sum(w x) / sum(w).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np

from monitoring.counts import Bin, Brier, Counts, Weighted
from monitoring.figures import Figure, Interval
from monitoring.intervals import normal, weighted_share

Confusion = Mapping[tuple[str, str], Weighted]
"""(answer, truth) -> labelled rows."""

RESAMPLES = 1_000
SEED = 1


def figures(counts: Counts) -> Iterator[Figure]:
    """All that the labels tell; nothing without labels."""
    if not counts.confusion:
        return
    yield accuracy(counts.confusion)
    yield from f1(counts.confusion)
    if counts.calibration:
        yield calibration_error(counts.calibration)
    if counts.brier is not None:
        yield brier(counts.brier)


def confusion(counts: Counts) -> Iterator[Figure]:
    """The share of each pair of answer and truth, where there are any."""
    weight = _weight(counts.confusion)
    for (answer, truth), cell in sorted(counts.confusion.items()):
        yield Figure(f"confusion:{answer}:{truth}", cell.weight / weight, cell.rows)


def accuracy(found: Confusion) -> Figure:
    """The share of answers that are right."""
    weight, square = _weight(found), sum(cell.square for cell in found.values())
    right = [cell for (answer, truth), cell in found.items() if answer == truth]
    share = sum(cell.weight for cell in right) / weight
    right_square = sum(cell.square for cell in right)
    variance = ((1 - share) ** 2 * right_square + share**2 * (square - right_square)) / weight**2
    return Figure(
        "accuracy", share, _rows(found), weighted_share(share, variance, _kish_rows(found))
    )


def f1(found: Confusion) -> Iterator[Figure]:
    """Of each label that was answered or true, and their mean, as scikit-learn has it.

    F1 is a ratio of sums, 2 TP / (2 TP + FP + FN), whose interval is by the delta method.
    Source: Takahashi et al., Applied Intelligence 52, 2022.
    """
    size: dict[str, float] = defaultdict(float)  # 2 TP + FP + FN
    hits: dict[str, float] = defaultdict(float)
    for (answer, truth), cell in found.items():
        size[answer] += cell.weight
        size[truth] += cell.weight
        if answer == truth:
            hits[answer] += cell.weight
    scores = {label: 2 * hits[label] / size[label] for label in sorted(size)}

    def pull(label: str, answer: str, truth: str) -> float:
        """How far a row of this answer and truth moves the label's F1, by its weight."""
        parts = (label == answer) + (label == truth)
        return (2.0 * (parts == 2) - scores[label] * parts) / size[label]

    def interval(value: float, labels: list[str]) -> Interval:
        touched = {pair: cell for pair, cell in found.items() if not set(pair).isdisjoint(labels)}
        variance = sum(
            cell.square * (sum(pull(label, *pair) for label in labels) / len(labels)) ** 2
            for pair, cell in touched.items()
        )
        return weighted_share(value, variance, _kish_rows(touched))

    rows = _rows(found)
    mean = sum(scores.values()) / len(scores)
    yield Figure("f1_macro", mean, rows, interval(mean, list(scores)))
    for label, score in scores.items():
        yield Figure(f"f1:{label}", score, rows, interval(score, [label]))


def calibration_error(bins: Mapping[str, Bin]) -> Figure:
    """The expected calibration error in ten bins: the mean of |confidence - share that is right|.

    Source: Guo et al., On Calibration of Modern Neural Networks, 2017. The interval is by a
    parametric bootstrap: each bin's rows are right with its share. Source: Efron and Tibshirani, An
    Introduction to the Bootstrap, 1993, section 6.5.
    """
    found = [bins[key] for key in sorted(bins)]
    weight = np.array([bin_.weight for bin_ in found])
    right = np.array([bin_.right for bin_ in found]) / weight
    confidence = np.array([bin_.confidence for bin_ in found]) / weight
    shares = weight / weight.sum()
    value = float(shares @ np.abs(confidence - right))
    kish_rows = np.rint(weight**2 / [bin_.square for bin_ in found]).astype(np.int64)
    random = np.random.default_rng(SEED)
    drawn = random.binomial(kish_rows, np.clip(right, 0, 1), (RESAMPLES, len(found))) / kish_rows
    low, high = np.percentile(np.abs(confidence - drawn) @ shares, [2.5, 97.5])
    interval = Interval(min(value, float(low)), max(value, float(high)))
    return Figure("calibration_error", value, sum(bin_.rows for bin_ in found), interval)


def brier(sums: Brier) -> Figure:
    """The mean squared distance of the scores from the truth: 0 is best, 2 worst.

    Source: Brier, Monthly Weather Review 78, 1950.
    """
    value = sums.wb / sums.w
    variance = (sums.wwbb - 2 * value * sums.wwb + value * value * sums.ww) / sums.w**2
    return Figure("brier", value, sums.rows, normal(value, variance, least=0, most=2))


def _weight(found: Confusion) -> float:
    return sum(cell.weight for cell in found.values())


def _kish_rows(found: Confusion) -> float:
    """So many rows without weights tell as much. Source: Kish, Survey Sampling, 1965, 11.7."""
    return _weight(found) ** 2 / sum(cell.square for cell in found.values())


def _rows(found: Confusion) -> int:
    return sum(cell.rows for cell in found.values())
