"""The numbers of an evaluation's figures."""

import numpy as np
import pytest

from training.quality import BINS, Reliability, confusion_counts


def test_confusions_are_counted_by_truth_and_answer() -> None:
    counts = confusion_counts(np.array([0, 0, 2, 0]), np.array([0, 1, 2, 1]), 3)
    np.testing.assert_array_equal(counts, [[1, 2, 0], [0, 0, 0], [0, 0, 1]])


def test_answers_are_binned_by_confidence() -> None:
    scores = np.array([[0.95, 0.05], [0.85, 0.15], [0.12, 0.88], [1.0, 0.0]], np.float32)
    reliability = Reliability.of(np.array([0, 0, 0, 0]), scores)
    assert reliability.counts == [0] * (BINS - 2) + [2, 2]
    assert reliability.confidence[-2:] == pytest.approx([0.865, 0.975])
    assert reliability.accuracy[-2:] == [0.5, 1.0]
    assert reliability.expected_calibration_error == pytest.approx((0.365 + 0.025) / 2)


def test_who_is_always_right_and_sure_is_calibrated() -> None:
    reliability = Reliability.of(np.array([0, 1]), np.eye(2, dtype=np.float32))
    assert reliability.expected_calibration_error == 0
