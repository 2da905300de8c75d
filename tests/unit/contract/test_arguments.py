"""Numbers on command lines."""

import argparse

import pytest

from contract.arguments import whole_number

PORT = whole_number(1, 65535)


def test_both_bounds_are_taken() -> None:
    assert (PORT("1"), PORT("65535")) == (1, 65535)


@pytest.mark.parametrize(
    "text", ["0", "65536", "-1", "0.5", "1e3", " 5", "1_0", "", "nan", "²", "\u0665", "9" * 5000]
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="a whole number, 1 to 65535"):
        PORT(text)
