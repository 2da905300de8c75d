"""Intervals of shares."""

import pytest

from monitoring.intervals import weighted_share, wilson

# Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
PUBLISHED = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
]


@pytest.mark.parametrize(("hits", "rows", "low", "high"), PUBLISHED)
def test_wilsons_interval_is_the_published_one(
    hits: int, rows: int, low: float, high: float
) -> None:
    assert wilson(hits / rows, rows) == pytest.approx((low, high), abs=5e-5)


def test_a_share_with_equal_weights_has_the_interval_without() -> None:
    weighted = weighted_share(0.3, 0.3 * 0.7 / 50, 50)
    assert weighted == pytest.approx(wilson(0.3, 50))
    assert weighted_share(1.0, 0.0, 50) == wilson(1.0, 50)
