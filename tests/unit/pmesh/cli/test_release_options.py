"""What `pmesh release` understands, and what it refuses before it asks anybody."""

import argparse

import pytest

from pmesh.cli.release_options import add_release_options


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_release_options(parser)
    return parser.parse_args(["genre@3", *arguments])


def test_what_the_contract_allows_is_understood() -> None:
    asked = parse("--steps", "0.01,100", "--pause", "2592000", "--margin", "1")
    assert (asked.steps, asked.pause, asked.margin) == ([0.01, 100], 2_592_000, 1)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--pause", "2592001"),
        ("--pause", "1e30"),
        ("--pause", "nan"),
        ("--pause", "-1"),
        ("--margin", "5"),
        ("--margin", "inf"),
        ("--canary", "0"),
        ("--canary", "101"),
        ("--canary", "0.001"),
        ("--steps", "10,1"),
    ],
)
def test_what_the_contract_does_not_allow_is_refused(option: str, value: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=option):
        parse(option, value)
