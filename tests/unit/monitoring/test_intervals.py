"""Intervals of shares."""

import pytest

from monitoring.intervals import Stratum, stratified_share, weighted_share, wilson

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


@pytest.mark.parametrize("right", [0, 7, 20])
def test_rows_of_one_weight_have_the_interval_without(right: int) -> None:
    found = stratified_share([Stratum(20 * 5.0, 20 * 25.0, right * 5.0)])
    assert found == pytest.approx(wilson(right / 20, 20))


def test_a_few_heavy_rows_of_which_none_is_wrong_do_not_say_that_none_of_their_kind_is() -> None:
    """80 light rows, half of them right, for a tenth of all; 18 heavy ones for the rest."""
    light, heavy = Stratum(100, 125, 50), Stratum(900, 18 * 50.0**2, 900)
    found = stratified_share([light, heavy])
    assert found.low == pytest.approx(0.95 - 0.9 * (1 - wilson(1, 18).low), abs=0.03)
    assert found.high < 0.99  # the light ones are known to be wrong
