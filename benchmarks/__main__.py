"""Measures the local stack on this machine: `python -m benchmarks`, which `make bench` calls.

`python -m benchmarks --against REV` measures the working tree beside a revision instead.
"""

import argparse
import json
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import machine, ordinary
from benchmarks.against.run import measure_against
from benchmarks.checkout import CheckoutFailedError, of_revision, of_working_tree
from benchmarks.growth.records import MOST_ROWS
from benchmarks.load import LoadFailedError, missing_tools
from benchmarks.mesh import MeshFailedError
from benchmarks.processes import PartDiedError
from benchmarks.questions import WrongAnswerError
from modelkit.dataset import InvalidDataset

RESULTS = Path(__file__).with_name("results")
WIDTH = 120
"""Of the tables, where there is no terminal."""
FAILURES = (
    *(CheckoutFailedError, MeshFailedError),
    *(PartDiedError, WrongAnswerError, LoadFailedError, InvalidDataset),
)
PAIRS, QUICK_PAIRS, SECONDS = 12, 3, 2

tables = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
messages = Console(stderr=True, highlight=False)


def main() -> None:
    """Measure, print the tables, and keep everything in a file of `results`."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.against is None and (arguments.pairs or arguments.seconds):
        parser.error("--pairs and --seconds go with --against")
    if arguments.against is not None and (arguments.only or arguments.variant):
        parser.error("--only and --variant do not go with --against")
    if arguments.only not in ordinary.WITHOUT_LOAD and (missing := missing_tools()):
        sys.exit("\n".join(missing))
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: what was started is ended
        signal.signal(number, signal.default_int_handler)
    described = machine.describe()
    try:
        if arguments.against is None:
            name, results = "latest.json", _ordinary(arguments)
        else:
            name, results = "against.json", _against(arguments)
    except FAILURES as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("interrupted; everything that was started has ended")
    _keep(RESULTS / name, {"machine": described, **results})


def _ordinary(arguments: argparse.Namespace) -> dict[str, Any]:
    return ordinary.measure(
        ordinary.QUICK if arguments.quick else ordinary.FULL,
        (arguments.only,) if arguments.only else ordinary.KINDS,
        variant=arguments.variant,
        most_rows=arguments.rows,
        tables=tables,
        messages=messages,
    )


def _against(arguments: argparse.Namespace) -> dict[str, Any]:
    return measure_against(
        partial(of_revision, arguments.against),
        of_working_tree,
        pairs=arguments.pairs or (QUICK_PAIRS if arguments.quick else PAIRS),
        seconds=arguments.seconds or SECONDS,
        tables=tables,
        messages=messages,
    )


def _keep(file: Path, results: dict[str, Any]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(results, indent=1) + "\n")
    messages.print(f"kept in {file}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions, to see it work")
    parser.add_argument(
        "--only",
        choices=(
            *ordinary.KINDS,
            *(ordinary.FEATURES, ordinary.GROWTH, ordinary.CHOICE, ordinary.AUTH),
            ordinary.TELEMETRY,
        ),
        help="predictions made now, or later, or releases; or what features, tokens, a large"
        " record or telemetry cost; or what it brings to choose what is labelled",
    )
    parser.add_argument(
        "--rows",
        type=_count,
        default=MOST_ROWS,
        help=f"of the largest record; {MOST_ROWS:,} if not given",
    )
    parser.add_argument("--variant", help="another architecture of the model, such as encoder")
    parser.add_argument(
        "--against", metavar="REV", help="a revision, such as main or HEAD~3, to measure beside"
    )
    parser.add_argument(
        "--pairs", type=_count, help=f"of turns of each kind of load; {PAIRS} if not given"
    )
    parser.add_argument("--seconds", type=_count, help=f"of each load; {SECONDS} if not given")
    return parser


def _count(word: str) -> int:
    """At least 1."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 on is needed, not {word!r}")
    return int(word)


if __name__ == "__main__":
    main()
