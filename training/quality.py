"""Where a model is right and wrong: the numbers of the figures in an evaluation."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelkit.abstract_model import FloatArray

Indices = npt.NDArray[np.int64]
BINS = 10


def confusion_counts(truth: Indices, answers: Indices, labels: int) -> Indices:
    """(labels, labels): how many examples of each true label (row) got each answer (column)."""
    counts = np.zeros((labels, labels), np.int64)
    np.add.at(counts, (truth, answers), 1)
    return counts


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often answers of a confidence are right, in bins of equal width from 0 to 1."""

    counts: list[int]
    """Answers in each bin."""
    confidence: list[float]
    """Their mean confidence; 0 in an empty bin."""
    accuracy: list[float]
    """The share of them that is right; 0 in an empty bin."""
    expected_calibration_error: float
    """The mean of |confidence - accuracy| over all answers, bin by bin."""

    @classmethod
    def of(cls, truth: Indices, scores: FloatArray) -> "Reliability":
        """truth: (n,) numbers of labels. scores: (n, labels)."""
        confidence, right = scores.max(axis=1), scores.argmax(axis=1) == truth
        bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        divisors = np.maximum(counts, 1)
        mean_confidence = np.bincount(bins, confidence, BINS) / divisors
        accuracy = np.bincount(bins, right, BINS) / divisors
        error = np.average(np.abs(mean_confidence - accuracy), weights=counts)
        return cls(counts.tolist(), mean_confidence.tolist(), accuracy.tolist(), float(error))
