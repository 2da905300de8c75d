"""Numbers and times on command lines."""

import argparse
from datetime import UTC, datetime

import pytest

from contract.arguments import moment, whole_number

PORT = whole_number(1, 65535)


def test_both_bounds_are_taken() -> None:
    assert (PORT("1"), PORT("65535")) == (1, 65535)


@pytest.mark.parametrize(
    "text", ["0", "65536", "-1", "0.5", "1e3", " 5", "1_0", "", "nan", "²", "\u0665", "9" * 5000]
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="a whole number, 1 to 65535"):
        PORT(text)


@pytest.mark.parametrize("text", ["2026-11-01", "2026-11-01T02:00+02:00", "2026-11-01T00:00:00Z"])
def test_a_time_without_a_zone_is_utc(text: str) -> None:
    assert moment(text) == datetime(2026, 11, 1, tzinfo=UTC)


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        moment("yesterday")
