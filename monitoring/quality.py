"""How right a version is, by the labels that count: from its confusion, bins and sums.

Rows weigh the inverse of the probability with which they were chosen to be labelled, so that
labelling the hard ones does not make a model look worse than it is; a row of which that is not
known weighs 1. All means are Hájek's, sum(w x) / sum(w).
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from monitoring.counts import Bin, Brier, Counts, Weighted
from monitoring.figures import Figure, Interval
from monitoring.intervals import Stratum, normal, stratified_share

Confusion = Mapping[tuple[str, str, str], Weighted]
"""(answer, truth, class of weight) -> labelled rows."""

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
    pairs: dict[tuple[str, str], list[Weighted]] = defaultdict(list)
    for (answer, truth, _), cell in counts.confusion.items():
        pairs[answer, truth].append(cell)
    for (answer, truth), cells in sorted(pairs.items()):
        share = sum(cell.weight for cell in cells) / weight
        yield Figure(f"confusion:{answer}:{truth}", share, sum(cell.rows for cell in cells))


def accuracy(found: Confusion) -> Figure:
    """The share of answers that are right."""
    right = sum(cell.weight for (answer, truth, _), cell in found.items() if answer == truth)
    return Figure("accuracy", right / _weight(found), _rows(found), _right(found))


def f1(found: Confusion) -> Iterator[Figure]:
    """Of each label that was answered or true, and their mean, as scikit-learn has it.

    F1 is 2 TP / (2 TP + FP + FN), so it grows with the share of TP among TP, FP and FN, and its
    interval is of that share. The mean's adds up the distances from the ends of each, correlated as
    the estimates are by the delta method. Source: Zou and Donner, Statistics in Medicine 27, 2008;
    Takahashi et al., Applied Intelligence 52, 2022.
    """
    size: dict[str, float] = defaultdict(float)  # 2 TP + FP + FN
    hits: dict[str, float] = defaultdict(float)
    for (answer, truth, _), cell in found.items():
        size[answer] += cell.weight
        size[truth] += cell.weight
        if answer == truth:
            hits[answer] += cell.weight
    scores = {label: 2 * hits[label] / size[label] for label in sorted(size)}
    of_each = {label: _f1_interval(found, label) for label in scores}
    rows = _rows(found)
    yield Figure(
        "f1_macro",
        sum(scores.values()) / len(scores),
        rows,
        _mean_interval(scores, of_each, _correlations(found, scores, size)),
    )
    for label, score in scores.items():
        yield Figure(f"f1:{label}", score, rows, of_each[label])


def _f1_interval(found: Confusion, label: str) -> Interval:
    low, high = _right({key: cell for key, cell in found.items() if label in key[:2]})
    return Interval(2 * low / (1 + low), 2 * high / (1 + high))


def _correlations(
    found: Confusion, scores: Mapping[str, float], size: Mapping[str, float]
) -> npt.NDArray[np.float64]:
    """(labels, labels) of the F1 of each; 0 for a label of which nothing varies."""
    place = {label: number for number, label in enumerate(scores)}
    pulls = np.zeros((len(found), len(scores)))  # how far a row moves each F1, by its weight
    for row, (answer, truth, _) in enumerate(found):
        for label in {answer, truth}:
            parts = 2 if answer == truth else 1
            pulls[row, place[label]] = (2.0 * (parts == 2) - scores[label] * parts) / size[label]
    squares = np.array([cell.square for cell in found.values()])
    covariance = pulls.T @ (pulls * squares[:, None])
    deviation = np.sqrt(np.diag(covariance))
    scale = np.outer(deviation, deviation)
    correlations = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
    np.fill_diagonal(correlations, 1)
    return correlations


def _mean_interval(
    scores: Mapping[str, float],
    of_each: Mapping[str, Interval],
    correlations: npt.NDArray[np.float64],
) -> Interval:
    mean = sum(scores.values()) / len(scores)
    below = np.array([scores[label] - of_each[label].low for label in scores])
    above = np.array([of_each[label].high - scores[label] for label in scores])
    down, up = (math.sqrt(ends @ correlations @ ends) / len(scores) for ends in (below, above))
    return Interval(max(0.0, mean - down), min(1.0, mean + up))


def _right(found: Confusion) -> Interval:
    """Of the share of rows whose answer is right, by the classes of weights."""
    classes: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for (answer, truth, of_weight), cell in found.items():
        sums = classes[of_weight]
        sums[0] += cell.weight
        sums[1] += cell.square
        sums[2] += cell.weight * (answer == truth)
    return stratified_share([Stratum(*sums) for _, sums in sorted(classes.items())])


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


def _rows(found: Confusion) -> int:
    return sum(cell.rows for cell in found.values())
