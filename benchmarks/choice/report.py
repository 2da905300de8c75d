"""What the curves say: a table, one sentence, and a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure as Picture  # without pyplot: no window, no global state
from rich.table import Table

from benchmarks.bootstrap import Figure
from benchmarks.choice.curves import CHANCE, CHOICE, Curve
from benchmarks.tables import empty_table

_COLOURS = {CHANCE: "#a0aec0", CHOICE: "#2b6cb0"}
_DOTS_PER_INCH = 120
DRAWS = 100_000


def gain(curves: Sequence[Curve]) -> dict[str, Figure]:
    """By number of labels, and by "all", the mean over them: accuracy by choice minus by chance.

    Of all but the first labels, which are the same. Each seed is a pair, and these are too few to
    be drawn from again: what the mean could be is by Student's distribution.
    """
    differences = (_accuracy(curves, CHOICE) - _accuracy(curves, CHANCE))[:, 1:]
    found = {
        f"{labels:,}": _mean(of)
        for labels, of in zip(curves[0].labels[1:], differences.T, strict=True)
    }
    return found | {"all": _mean(differences.mean(axis=1))}


def _mean(of_pairs: npt.NDArray[np.float64]) -> Figure:
    pairs = len(of_pairs)
    point, error = float(of_pairs.mean()), of_pairs.std(ddof=1) / np.sqrt(pairs)
    return Figure(point, point + error * np.random.default_rng(0).standard_t(pairs - 1, DRAWS))


def choice_table(curves: Sequence[Curve]) -> Table:
    """The mean accuracy by labels and way, with the paired difference."""
    table = empty_table(
        "Accuracy on held-out texts", "labels", "", CHANCE, CHOICE, "difference", "95 %"
    )
    means = {way: _accuracy(curves, way).mean(axis=0) for way in (CHANCE, CHOICE)}
    gains = gain(curves)
    for column, labels in enumerate(curves[0].labels):
        cells = [f"{means[way][column]:.3f}" for way in (CHANCE, CHOICE)]
        figure = gains.get(f"{labels:,}")
        table.add_row(f"{labels:,}", "", *cells, *_cells(figure))
    table.add_row("all but the first", "", "", "", *_cells(gains["all"]))
    return table


def verdict(curves: Sequence[Curve]) -> str:
    """Whether choosing beats chance."""
    low, high = gain(curves)["all"].interval
    if low > 0:
        return "Labels by choice teach the model more than labels by chance."
    if high < 0:
        return "Labels by choice teach the model less than labels by chance."
    return "Labels by choice and by chance cannot be told apart."


def plot(file: Path, curves: Sequence[Curve]) -> None:
    """Draw each seed's curves, and their means."""
    picture = Picture(figsize=(6, 4), layout="constrained")
    axes = picture.add_subplot()
    for curve in curves:
        axes.plot(curve.labels, curve.accuracy, color=_COLOURS[curve.way], alpha=0.25)
    for way, colour in _COLOURS.items():
        mean = _accuracy(curves, way).mean(axis=0)
        axes.plot(curves[0].labels, mean, "o-", color=colour, label=way)
    axes.set(title=verdict(curves), xlabel="labels", ylabel="accuracy on held-out texts")
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    picture.savefig(file, dpi=_DOTS_PER_INCH)


def _accuracy(curves: Sequence[Curve], way: str) -> npt.NDArray[np.float64]:
    """(seeds, numbers of labels)"""
    return np.array([curve.accuracy for curve in curves if curve.way == way])


def _cells(figure: Figure | None) -> tuple[str, str]:
    if figure is None:
        return "", ""
    low, high = figure.interval
    return f"{figure.point:+.3f}", f"{low:+.3f} to {high:+.3f}"
