"""The command lines of the training programs; `pmesh train` and `pmesh eval` hand theirs on."""

import argparse
from pathlib import Path

from contract.arguments import moment, whole_number
from modelkit.arguments import version_name


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


def check_train_options(arguments: argparse.Namespace) -> None:
    """Raises ValueError where one option makes no sense without another."""
    if arguments.since and not arguments.from_labels:
        raise ValueError("--since is of labels: it needs --from-labels")


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
