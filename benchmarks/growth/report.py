"""The table of growth."""

from statistics import median

import numpy as np
from rich.table import Table

from benchmarks.bootstrap import INTERVAL, draws
from benchmarks.growth.measure import Growth
from benchmarks.tables import empty_table


def growth_table(growth: Growth) -> Table:
    """Every kind of work on every size."""
    table = empty_table(
        "The record as it grows", "work", "rows", "days", "ms", "/ smallest", "95 %"
    )
    table.caption = (
        "/ smallest: the median of the ratios of each turn. read: a prediction by its id. rare"
        " version: ten predictions of all days. later: from acceptance to end, without the bus."
        " sweep: the relay's look for what expires or is stuck. commit: a batch of answers."
        " backend: memory that PostgreSQL has for the gateway's connection in the end."
    )
    for kind, turns in growth.ms.items():
        for place, size in enumerate(growth.sizes):
            ratios = np.array([turn[place] / turn[0] for turn in turns])
            low, high = np.percentile(np.median(ratios[draws(len(ratios))], axis=1), INTERVAL)
            table.add_row(
                kind,
                f"{size.rows:,}",
                f"{size.days}",
                f"{median(turn[place] for turn in turns):.1f}",
                f"{np.median(ratios):.2f}" if place else "",
                f"{low:.2f} to {high:.2f}" if place else "",
            )
        table.add_section()
    for size, memory in zip(growth.sizes, growth.backend_bytes, strict=True):
        figure, ratio = memory / 1e6, memory / growth.backend_bytes[0]
        row = ("backend", f"{size.rows:,}", f"{size.days}", f"{figure:.1f} MB", f"{ratio:.2f}", "")
        table.add_row(*row)
    return table
