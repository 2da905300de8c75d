"""The figures of an evaluation, as PNG files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure  # without pyplot: no window, no global state

from training.quality import BINS, Indices, Reliability

_DOTS_PER_INCH = 120
_BLUE, _GREY = "#2b6cb0", "#a0aec0"


def plot_confusion(file: Path, title: str, labels: Sequence[str], counts: Indices) -> None:
    """Draw the counts; a cell is as dark as its share of the true label's examples."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.6 + 0.9 * len(labels)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, labels)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        colour = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{count}\n{share:.0%}", ha="center", va="center", color=colour)
    axes.set(title=title, xlabel="answer of the model", ylabel="truth")
    figure.colorbar(image, label="share of the true label", format="{x:.0%}", shrink=0.8)
    figure.savefig(file, dpi=_DOTS_PER_INCH)


def plot_reliability(file: Path, title: str, reliability: Reliability) -> None:
    """Draw how often answers of a confidence are right, above how many there are of each."""
    figure = Figure(figsize=(5.5, 6), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    filled = np.array(reliability.counts) > 0
    confidence, accuracy = np.array(reliability.confidence), np.array(reliability.accuracy)
    upper.plot([0, 1], [0, 1], "--", color=_GREY, label="as sure as right")
    upper.plot(confidence[filled], accuracy[filled], "o-", color=_BLUE, label="this model")
    error = reliability.expected_calibration_error
    upper.set(
        title=f"{title}\nexpected calibration error {error:.3f}",
        ylabel="share of right answers",
        xlim=(0, 1),
        ylim=(-0.02, 1.02),
    )
    upper.legend(loc="upper left")
    upper.grid(alpha=0.3)
    lower.bar((np.arange(BINS) + 0.5) / BINS, reliability.counts, 0.9 / BINS, color=_BLUE)
    lower.set(xlabel="confidence: the score of the answer", ylabel="examples")
    figure.savefig(file, dpi=_DOTS_PER_INCH)
