"""The command lines of the training programs; `pmesh train` and `pmesh eval` hand theirs on."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from contract.arguments import whole_number
from modelkit.arguments import version_name


def moment(text: str) -> datetime:
    """A time in ISO 8601; UTC, if it does not say. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def add_train_options(parser: argparse.ArgumentParser) -> None:
    """Of training.train."""
    parser.add_argument("name", metavar="NAME", help="the model: a folder under models/")
    parser.add_argument(
        "--variant", help="which file of the folder holds the class; default: model"
    )
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        type=Path,
        help="files to learn from; default: its own",
    )
    parser.add_argument(
        "--seed",
        default=0,
        type=whole_number(0, 2**32 - 1),  # what NumPy takes
        metavar="NUMBER",
        help="the same seed gives the same model",
    )
    parser.add_argument(
        "--from-labels",
        action="store_true",
        help="learn from what people said of predictions too",
    )
    parser.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="with --from-labels: of predictions asked for since then; ISO 8601, UTC if not said",
    )


def add_evaluate_options(parser: argparse.ArgumentParser) -> None:
    """Of training.evaluate."""
    parser.add_argument(
        "version", type=version_name, metavar="NAME@VERSION", help="such as sentiment@7"
    )
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        type=Path,
        help="files to judge on; default: the version's own",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
