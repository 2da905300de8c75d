"""The folder `evaluation` of a training: what the new version said of the held-out examples.

Of labelled predictions only those that are representative: the figures tell how good it is.

evaluation.tsv                      the examples but for these, in the format of the data
metrics.json                        what `eval` says
confusion.json     confusion.png    true labels and answers
reliability.json   reliability.png  confidence and correctness
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from modelkit.abstract_model import AbstractModel, Example, Predictions
from training.plots import plot_confusion, plot_reliability
from training.quality import Reliability, confusion_counts


def write_figures(
    directory: Path,
    *,
    name: str,
    model: AbstractModel,
    examples: Sequence[Example],
    predictions: Predictions,
    metrics: Mapping[str, float],
) -> None:
    """Write all but the examples into an existing folder."""
    truth = np.array([model.labels.index(model.truth(example)) for example in examples])
    answers = predictions.scores.argmax(axis=1)
    counts = confusion_counts(truth, answers, len(model.labels))
    reliability = Reliability.of(truth, predictions.scores)
    title = f"{name}: {len(examples):,} held-out examples"
    plot_confusion(directory / "confusion.png", title, model.labels, counts)
    plot_reliability(directory / "reliability.png", title, reliability)
    _write(directory / "metrics.json", dict(metrics))
    _write(directory / "confusion.json", {"labels": model.labels, "counts": counts.tolist()})
    _write(directory / "reliability.json", asdict(reliability))


def _write(file: Path, fields: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(fields, indent=2) + "\n")
