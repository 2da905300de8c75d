"""Predictions that people have labelled, as a version that learnt from them keeps them: by id.

    {"prediction": "019ac0de-…", "split": "HELD_OUT", "label": "tweet", "source": "PERSON",
     "annotators": ["anna"], "choice": "uncertain", "weight": 4.0, "time": "2026-11-26T09:30:00Z"}

A line each, in labels.jsonl beside evaluation.tsv. Their texts stay in the database, from where who
judges a version joins them, so that one that is erased there is nowhere.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from contract.labels import is_representative
from modelkit.abstract_model import Example
from modelkit.dataset import InvalidDataset, read_examples

DOMAIN = "labelled"
"""Of examples that are such predictions: their ids are `labelled-<the prediction's, in hex>`."""

FindTexts = Callable[[Sequence[UUID]], Mapping[UUID, str]]
"""The texts of predictions, without those that are gone or erased."""


class Split(StrEnum):
    """What became of a labelled prediction in a training."""

    LEARNED = "LEARNED"
    HELD_OUT = "HELD_OUT"
    LEFT_OUT = "LEFT_OUT"
    """Its text is that of one that was labelled later, or nearly that of a held-out one."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A prediction, and the label of it that counts."""

    prediction: UUID
    label: str
    source: str
    """Of the label: PERSON, CLIENT, IMPORT, LABEL_STUDIO."""
    annotators: tuple[str, ...]
    """All who labelled it; "" is somebody unknown."""
    choice: str
    """How it was chosen to be labelled; "" if that is not known."""
    weight: float | None
    """1 / the probability of that."""
    time: datetime
    """When something was last said of it."""

    @property
    def example_id(self) -> str:
        """Of what a model learns from."""
        return f"{DOMAIN}-{self.prediction.hex}"

    @property
    def is_representative(self) -> bool:
        """Whether it may be counted as one of many; else it was chosen for being hard."""
        return is_representative(self.choice, self.weight)

    def example(self, text: str) -> Example:
        """What a model learns from."""
        return Example(self.example_id, text, label=self.label)


class EvaluationSet(NamedTuple):
    """What a version is judged by."""

    examples: list[Example]
    erased: int
    """Labelled predictions that were held out too, and whose texts are gone."""


def write_labels(file: Path, labelled: Iterable[tuple[Labelled, Split]]) -> None:
    """Write the list that a version keeps."""
    with file.open("w", encoding="utf-8") as lines:
        for one, split in labelled:
            lines.write(json.dumps(_to_json(one, split), ensure_ascii=False) + "\n")


def read_labels(file: Path) -> list[tuple[Labelled, Split]]:
    """Read it again. Raises OSError, InvalidDataset."""
    try:
        with file.open(encoding="utf-8") as lines:
            return [_from_json(line) for line in lines]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidDataset(f"{file.name} is not a list of labelled predictions") from error


def read_held_out(evaluation: Path, labels: Path | None, find_texts: FindTexts) -> EvaluationSet:
    """The examples that were held out in a training, those among labelled predictions too.

    labels: None for a version that was trained without. Raises OSError, InvalidDataset, and what
    `find_texts` does, which is not asked unless there are such.
    """
    examples = read_examples([evaluation])
    held_out = [
        one for one, split in (read_labels(labels) if labels else ()) if split is Split.HELD_OUT
    ]
    texts = find_texts([one.prediction for one in held_out]) if held_out else {}
    joined = [one.example(texts[one.prediction]) for one in held_out if one.prediction in texts]
    return EvaluationSet([*examples, *joined], len(held_out) - len(joined))


def _to_json(one: Labelled, split: Split) -> dict[str, object]:
    return {
        "prediction": str(one.prediction),
        "split": split,
        "label": one.label,
        "source": one.source,
        "annotators": one.annotators,
        "choice": one.choice,
        "weight": one.weight,
        "time": one.time.astimezone(UTC).isoformat(),
    }


def _from_json(line: str) -> tuple[Labelled, Split]:
    fields = json.loads(line)
    return Labelled(
        prediction=UUID(fields["prediction"]),
        label=str(fields["label"]),
        source=str(fields["source"]),
        annotators=tuple(fields["annotators"]),
        choice=str(fields["choice"]),
        weight=fields["weight"],
        time=datetime.fromisoformat(fields["time"]),
    ), Split(fields["split"])
