"""Cells of a space of features, and what chance makes of their counts."""

import numpy as np
import pytest

from monitoring import drift
from monitoring.partition import CELLS, Partition


def rows(seed: int, count: int, width: int, shift: float = 0.0) -> "np.ndarray":  # type: ignore[type-arg]
    """Of a distribution whose dimensions are not independent."""
    chance = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).normal(size=(width, width))
    return (chance.normal(size=(count, width)) @ mixing + shift).astype(np.float32)


@pytest.mark.parametrize("width", [1, 3, 384])
def test_each_cell_has_an_equal_share_of_the_reference(width: int) -> None:
    reference = rows(0, 1_000, width)
    counts = Partition.of(reference).count(reference)
    assert len(counts) == CELLS
    assert set(counts.values()) <= {62, 63}
    assert sum(counts.values()) == 1_000


@pytest.mark.parametrize("count", [30, 200, 2_000])
def test_rows_of_the_same_kind_raise_no_alarm(count: int) -> None:
    reference = rows(0, 1_000, 64)
    partition = Partition.of(reference)
    expected = partition.count(reference)
    for seed in range(1, 201):
        _, interval = drift.distance(expected, partition.count(rows(seed, count, 64)))
        assert not drift.is_drift("features_drift", interval.low), seed


@pytest.mark.parametrize(("count", "shift"), [(60, 6.0), (1_000, 3.0)])
def test_rows_of_another_kind_do(count: int, shift: float) -> None:
    reference = rows(0, 1_000, 64)
    partition = Partition.of(reference)
    _, interval = drift.distance(
        partition.count(reference), partition.count(rows(1, count, 64, shift))
    )
    assert drift.is_drift("features_drift", interval.low)


def test_rows_that_are_alike_are_one_cell() -> None:
    reference = np.ones((100, 5), np.float32)
    partition = Partition.of(reference)
    assert partition.count(reference) == {"0": 100}
    value, interval = drift.distance(partition.count(reference), partition.count(reference + 1))
    assert value > 0.8
    assert drift.is_drift("features_drift", interval.low)


def test_many_zeros_are_told_from_none() -> None:
    """As of texts without a known word."""
    chance = np.random.default_rng(1)
    reference = chance.normal(size=(600, 20)) * (chance.random((600, 1)) < 0.5)
    partition = Partition.of(reference)
    counts = partition.count(reference)
    assert sum(counts.values()) == 600
    same = chance.normal(size=(300, 20)) * (chance.random((300, 1)) < 0.5)
    _, interval = drift.distance(counts, partition.count(same))
    assert not drift.is_drift("features_drift", interval.low)
    _, interval = drift.distance(counts, partition.count(np.zeros((300, 20))))
    assert drift.is_drift("features_drift", interval.low)
