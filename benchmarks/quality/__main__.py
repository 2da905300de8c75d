"""Measures how right the sentiment models are: `python -m benchmarks.quality`.

Trains both variants on the same examples and asks them about the same held-out ones.
"""

import argparse
import os
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress, TaskID

from benchmarks.bootstrap import Figure
from benchmarks.quality import report
from benchmarks.quality.bootstrap import bootstrap
from benchmarks.quality.trial import Trial, run_trial
from benchmarks.rated import FILES, FOLDER, rated_files
from modelkit.abstract_model import Example
from modelkit.dataset import InvalidDataset, read_examples, split
from models.sentiment.sentiment import MAX_RATING

VARIANTS = {"n-grams": "model", "encoder": "encoder"}
WIDTH = 140
"""Of the tables, where there is no terminal."""

tables = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
messages = Console(stderr=True, highlight=False)


def main() -> None:
    """Train, ask, and print the tables."""
    arguments = _parser().parse_args()
    data = rated_files(arguments.data)
    try:
        learned, held_out = split(read_examples(data))
    except (InvalidDataset, OSError) as exc:
        sys.exit(f"the data cannot be used: {exc}")
    messages.print(f"{len(learned):,} examples to learn from, {len(held_out):,} held out")
    trials = _trials(learned, held_out, seeds=arguments.seeds)
    figures = {variant: _figures(held_out, trial) for variant, trial in trials.items()}
    counts = Counter(example.domain for example in held_out)
    counts[report.ALL] = len(held_out)
    tables.print(report.agreement_table(figures, counts))
    tables.print(report.cost_table(trials))
    tables.print(report.difference_table(figures, "encoder", "n-grams"))
    tables.print(report.verdict(figures, trials, "encoder", "n-grams"), soft_wrap=True)


def _trials(learned: list[Example], held_out: list[Example], *, seeds: int) -> dict[str, Trial]:
    trials = {}
    with Progress(console=messages) as progress:
        for name, variant in VARIANTS.items():
            task = progress.add_task(f"training {name}", total=1.0)
            trials[name] = run_trial(
                variant,
                learned,
                held_out,
                seeds=seeds,
                progress=partial(_update, progress, task),
            )
    return trials


def _update(progress: Progress, task: TaskID, share: float) -> None:
    progress.update(task, completed=share)


def _figures(held_out: list[Example], trial: Trial) -> dict[str, dict[str, Figure]]:
    """By domain and metric."""
    ratings = np.array([example.rating / MAX_RATING for example in held_out])
    domains = np.array([example.domain for example in held_out])
    parts = {domain: domains == domain for domain in dict.fromkeys(domains.tolist())}
    parts[report.ALL] = np.ones(len(held_out), dtype=bool)
    return {
        domain: bootstrap(ratings[chosen], trial.values[:, chosen])
        for domain, chosen in parts.items()
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get(FOLDER),
        help=f"a folder with {', '.join(FILES)}; default: that of {FOLDER}, or the data that ships",
    )
    parser.add_argument(
        "--seeds", type=int, default=1, help="trainings of each variant; figures are their means"
    )
    return parser


if __name__ == "__main__":
    main()
