"""Shares as clients say them, and as they are kept."""

import pytest
from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import InvalidArgument
from gateway import shares


def test_every_share_with_two_decimals_is_kept_and_shown_as_it_was_said() -> None:
    for points in range(1, 10_001):
        percent = float(f"{points // 100}.{points % 100:02}")
        assert shares.from_percent(percent, "percent") == points
        assert shares.to_percent(points) == percent


def test_a_share_that_was_computed_is_no_finer_than_it_was_meant() -> None:
    assert shares.from_percent(0.1 + 0.2, "percent") == 30


@pytest.mark.parametrize("percent", [0.001, 0.009, 33.333])
def test_other_numbers_are_no_shares(percent: float) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        shares.from_percent(percent, "percent")
    assert refusal.value.reason == ErrorReason.ERROR_REASON_OUT_OF_RANGE


@pytest.mark.parametrize(
    ("traffic", "field"),
    [
        ([], "shares"),
        ([("1", 99.99)], "shares"),
        ([("1", 99.99), ("2", 0.02)], "shares"),
        ([("1", 50), ("1", 50)], "shares"),
    ],
)
def test_a_split_that_is_not_whole_is_refused(traffic: list[tuple[str, float]], field: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        shares.check_split(traffic, "shares")
    assert refusal.value.metadata["field"] == field


def test_a_split_is_kept_in_basis_points() -> None:
    assert shares.check_split([("2", 0.1), ("1", 99.9)], "shares") == {"2": 10, "1": 9_990}


def test_steps_rise() -> None:
    assert shares.check_steps([]) == (10_000,)
    assert shares.check_steps([0.1, 1, 100]) == (10, 100, 10_000)
    for steps in ([1, 1], [10, 1], [1, 2, 1.5]):
        with pytest.raises(InvalidArgument):
            shares.check_steps(steps)
