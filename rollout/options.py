"""The command lines of releases; `pmesh release` hands its own on."""

import argparse
import getpass
import math

from modelkit.arguments import version_name
from rollout.traffic import WHOLE


def add_release_options(parser: argparse.ArgumentParser) -> None:
    """Of `rollout release`."""
    parser.add_argument(
        "version", type=version_name, metavar="NAME@VERSION", help="such as sentiment@3"
    )
    share = parser.add_mutually_exclusive_group()
    share.add_argument(
        "--canary", type=_percent, metavar="PERCENT", help="of the traffic; default: all"
    )
    share.add_argument(
        "--steps", type=_steps, metavar="PERCENTS", help="rising ones, such as 10,50,100"
    )
    parser.add_argument(
        "--margin",
        type=_number,
        metavar="NUMBER",
        help="how much of the primary metric it may lose; default: 0.02",
    )
    parser.add_argument(
        "--pause", type=_number, default=60.0, metavar="SECONDS", help="between steps; default: 60"
    )
    add_signature(parser)


def add_signature(parser: argparse.ArgumentParser) -> None:
    """Of all that moves traffic."""
    parser.add_argument("--actor", default=getpass.getuser(), help="who, for the history")
    parser.add_argument("--reason", default="", help="why, for the history")


def _percent(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= WHOLE:
        raise argparse.ArgumentTypeError("a share is 1 to 100 percent")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError("it must be a number, at least 0")
    return number


def _steps(text: str) -> list[int]:
    steps = [_percent(part) for part in text.split(",")]
    if steps != sorted(set(steps)):
        raise argparse.ArgumentTypeError("steps rise, such as 10,50,100")
    return steps
