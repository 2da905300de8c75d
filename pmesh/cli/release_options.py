"""The options of `pmesh release`."""

import argparse
import getpass
from collections.abc import Callable

from modelkit.arguments import version_name

_ALL = 100.0  # percent
_LONGEST_S = 30 * 24 * 3600  # that the contract allows between steps


def add_release_options(parser: argparse.ArgumentParser) -> None:
    """Declare them; --address is typer's, and shown here."""
    parser.add_argument(
        "version", type=version_name, metavar="NAME@VERSION", help="such as sentiment@3"
    )
    share = parser.add_mutually_exclusive_group()
    share.add_argument(
        "--canary", type=_percent, metavar="PERCENT", help="of the traffic; default: all"
    )
    share.add_argument(
        "--steps", type=_steps, metavar="PERCENTS", help="rising ones, such as 0.1,1,10,100"
    )
    parser.add_argument(
        "--pause", type=_number(_LONGEST_S), metavar="SECONDS", help="between steps; default: 60"
    )
    parser.add_argument(
        "--margin",
        type=_number(1),
        metavar="NUMBER",
        help="how much of the primary metric it may lose; default: 0.02",
    )
    parser.add_argument("--wait", action="store_true", help="until its last step, not its first")
    parser.add_argument("--actor", default=getpass.getuser(), help="who, for the history")
    parser.add_argument("--reason", default="", help="why, for the history")
    parser.add_argument(
        "--address",
        metavar="ADDRESS",
        help="of a gateway elsewhere, HOST:PORT or https://HOST; else PMESH_GATEWAY",
    )


def _percent(text: str) -> float:
    number = _number(_ALL)(text)
    if not 0.01 <= number <= _ALL or round(number, 2) != number:
        raise argparse.ArgumentTypeError("a share is 0.01 to 100 percent, with two decimals")
    return number


def _number(most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 <= number <= most:
            raise argparse.ArgumentTypeError(f"it must be a number, 0 to {most:.0f}")
        return number

    return read


def _steps(text: str) -> list[float]:
    steps = [_percent(part) for part in text.split(",")]
    if steps != sorted(set(steps)):
        raise argparse.ArgumentTypeError("steps rise, such as 0.1,1,10,100")
    return steps
