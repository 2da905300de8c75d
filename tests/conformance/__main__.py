"""Says whether a server of the Open Inference Protocol can answer for a version of a model.

It asks by gRPC, as the gateway does. Exit status: 0 it fits, 1 it does not.
"""

import argparse
import asyncio
import logging
import re
import sys
from collections.abc import Callable

from rich.console import Console

from contract.version_name import MODEL, VERSION
from tests.conformance.report import fits, show
from tests.conformance.suite import run
from tests.conformance.target import Target

EXAMPLES = """\
examples:
  python -m tests.conformance localhost:8001 sentiment
  python -m tests.conformance localhost:8081 sentiment --version 7 --labels negative,positive
  python -m tests.conformance localhost:8081 sentiment --bad 'a text that raises' --timeout 120
"""


def main() -> None:
    """Parse the command line, check, print."""
    arguments = _parser().parse_args()
    logging.disable()  # what inference says of failures is in the report
    target = Target(
        address=arguments.address,
        model=arguments.model,
        version=arguments.version,
        labels=arguments.labels,
        bad=arguments.bad,
        slow=arguments.slow,
        timeout_s=arguments.timeout,
    )
    sys.exit(asyncio.run(_check(target)))


async def _check(target: Target) -> int:
    with Console(stderr=True).status("asking") as progress:
        async with target:
            results = await run(target, lambda check: progress.update(check.name))
    show(Console(highlight=False), target, results)
    return 0 if fits(results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("address", metavar="HOST:PORT", help="of the server's gRPC, or unix:/path")
    parser.add_argument(
        "model", metavar="MODEL", type=_matching(MODEL, "such as sentiment"), help="its id"
    )
    parser.add_argument(
        "--version",
        default="1",
        metavar="V",
        type=_matching(VERSION, "a number, such as 7"),
        help="the version that is asked for; default: 1",
    )
    parser.add_argument(
        "--labels",
        default=[],
        type=lambda text: text.split(","),
        metavar="A,B",
        help="in the order of the scores; default: as many as there are scores",
    )
    parser.add_argument("--bad", default="", metavar="TEXT", help="one that makes the model fail")
    parser.add_argument(
        "--slow", default="", metavar="TEXT", help="one that takes longer than a second"
    )
    parser.add_argument(
        "--timeout",
        default=60.0,
        type=float,
        metavar="S",
        help="seconds that a call may take; default: 60",
    )
    return parser


def _matching(pattern: re.Pattern[str], form: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise argparse.ArgumentTypeError(f"{text!r} is not {form}")
        return text

    return parse


if __name__ == "__main__":
    main()
