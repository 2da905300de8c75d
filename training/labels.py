"""The labelled predictions that a training learns from, and what it records of them."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from modelkit.dataset import InvalidDataset
from modelkit.labelled import Labelled, Split, write_labels
from modelkit.registry import LABELS_FILE
from training.store import TrainingStore

SUMMARY_FILE = "labels.json"


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labelled predictions, as they were at a time."""

    since: datetime | None
    """When the first of them can have been asked for; None: ever."""
    until: datetime
    """When this was read."""
    labelled: Sequence[tuple[Labelled, str]]
    """Each with its text, the oldest first."""
    gone: int
    """Labelled predictions without a text any more: it was erased, or kept long enough."""


def read_label_set(store: TrainingStore, model: str, since: datetime | None) -> LabelSet:
    """What people have said of a model's predictions so far.

    Raises InvalidDataset if it is nothing, psycopg.Error.
    """
    until = datetime.now(UTC)
    labelled = store.labelled(model, since)
    if not labelled:
        ever = "" if since is None else f" of those asked for since {since.isoformat()}"
        raise InvalidDataset(f"no prediction of {model} has a label{ever}")
    texts = store.texts([one.prediction for one in labelled])
    present = [(one, texts[one.prediction]) for one in labelled if one.prediction in texts]
    return LabelSet(since, until, present, len(labelled) - len(present))


def write_provenance(
    directory: Path, labels: LabelSet, splits: Sequence[tuple[Labelled, Split]]
) -> None:
    """Write which predictions a training learnt from, by their ids, and how many of what kind.

    labels.jsonl  each of them, as modelkit/labelled.py describes it
    labels.json   since, until, gone, and how many there are by split, label, source, choice and
                  annotator
    """
    write_labels(directory / LABELS_FILE, splits)
    summary = {
        "since": labels.since.isoformat() if labels.since else None,
        "until": labels.until.isoformat(),
        "gone": labels.gone,
        "splits": _counts([split for _, split in splits]),
        "labels": _counts([one.label for one, _ in splits]),
        "sources": _counts([one.source for one, _ in splits]),
        "choices": _counts([one.choice for one, _ in splits]),
        "annotators": _counts([name for one, _ in splits for name in one.annotators]),
    }
    (directory / SUMMARY_FILE).write_text(json.dumps(summary, indent=2) + "\n")


def _counts(values: Sequence[str]) -> Mapping[str, int]:
    return dict(sorted(Counter(values).items()))
