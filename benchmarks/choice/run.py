"""The measurement: trainings on labels chosen in both ways."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.choice.curves import curves
from benchmarks.choice.report import choice_table, plot, verdict
from benchmarks.rated import FOLDER, rated_files
from benchmarks.tables import show
from modelkit.dataset import read_examples, split


def measure_choice(
    *, seeds: int, picture: Path, tables: Console, messages: Console
) -> dict[str, Any]:
    """Measure, print the table, draw the picture, and answer all of it.

    Raises InvalidDataset, OSError.
    """
    learned, held_out = split(read_examples(rated_files(os.environ.get(FOLDER))))
    messages.print(f"{len(learned):,} examples to learn from, {len(held_out):,} held out")
    found = list(
        track(
            curves(learned, held_out, seeds=range(seeds)),
            "training",
            total=2 * seeds,
            console=messages,
        )
    )
    show(tables, choice_table(found))
    tables.print(verdict(found))
    picture.parent.mkdir(exist_ok=True)
    plot(picture, found)
    messages.print(f"drawn in {picture}")
    return {"choice": [asdict(curve) for curve in found]}
