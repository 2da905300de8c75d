"""The whole run: two checkouts, their stacks, the turns, the tables."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.against import report
from benchmarks.against.lines import GRPC_64, TRITON_64, check, lines
from benchmarks.against.ratios import compare, share
from benchmarks.against.targets import targets
from benchmarks.against.turns import NEW, Sides, Turn, take_turns
from benchmarks.checkout import MANY, Checkout, scratch_folder
from benchmarks.mesh import Mesh
from benchmarks.meshes import running
from benchmarks.ports import free_port
from benchmarks.processes import NOISY_SHARE
from benchmarks.tables import show
from benchmarks.target import target_table
from benchmarks.texts import texts

Source = Callable[[Path], Checkout]
"""Fills a folder."""


def measure_against(
    old: Source, new: Source, *, pairs: int, seconds: int, tables: Console, messages: Console
) -> dict[str, Any]:
    """Measure, print the tables, and answer all of it.

    Raises CheckoutFailedError, MeshFailedError, WrongAnswerError, LoadFailedError.
    """
    with scratch_folder() as scratch:
        with messages.status("installing both checkouts"):
            checkouts = [old(scratch / "old"), new(scratch / "new")]
            for checkout in checkouts:
                checkout.install(models=MANY)
        sides = Sides(
            *(Mesh(c, scratch / f"home-{c.path.name}", port=free_port()) for c in checkouts)
        )
        with running(sides, messages):
            turns = _take_turns(sides, scratch, pairs=pairs, seconds=seconds, messages=messages)
    comparisons, triton = compare(turns), share(turns, GRPC_64, TRITON_64, NEW)
    show(
        tables,
        report.comparison_table(turns, comparisons, [side.name for side in sides]),
        report.triton_table(turns),
        target_table(targets(comparisons, triton)),
    )
    if (noise := report.noise(turns)) > NOISY_SHARE:
        messages.print(f"Others took {noise:.0%} of the machine: measure again when it is quiet.")
    return {
        "old": sides.old.name,
        "new": sides.new.name,
        "turns": [asdict(turn) for turn in turns],
        "ratios": {
            f"{line}, {measure}": (c.ratio.point, *c.ratio.interval)
            for (line, measure), c in comparisons.items()
        },
        "share of Triton": (triton.point, *triton.interval),
    }


def _take_turns(
    sides: Sides, scratch: Path, *, pairs: int, seconds: int, messages: Console
) -> list[Turn]:
    asked = texts()
    for mesh in sides:
        check(mesh, asked)
    loads = lines(asked, scratch)
    turns = take_turns(sides, loads, pairs=pairs, seconds=seconds)
    total = pairs * len(loads) * len(sides)
    return list(track(turns, f"{pairs} pairs of turns", total=total, console=messages))
