"""Compares a version with the champion: `python -P -m training.evaluate NAME@VERSION`.

Both predict the same held-out examples, each with its own code and weights.
MLFLOW_TRACKING_URI says where the versions are. Labelled predictions that were held out are kept by
their ids; PG* say where PostgreSQL is, which has their texts.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from rich.console import Console
from rich.table import Table

from contract.settings import read
from database.connections import connect
from modelkit.abstract_model import MANIFEST_FILE, AbstractModel, Example
from modelkit.artifact import UnknownModel, model_class
from modelkit.comparison import Comparison, compare
from modelkit.dataset import InvalidDataset, check_truths, read_examples, split
from modelkit.isolation import ArtifactFailed, ArtifactRun, run_artifact
from modelkit.labelled import EvaluationSet, read_held_out
from modelkit.registry import CHAMPION, Registry, RegistryError, Version
from training.options import add_evaluate_options
from training.settings import Settings
from training.store import TrainingStore

MESSAGES = Console(stderr=True)
TIMEOUT_S = 1800.0
SEED = 0


class EvaluationFailed(Exception):
    """A version cannot be judged. The message says which and why."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One version and how good it is."""

    version: Version
    run: ArtifactRun
    metrics: dict[str, float]

    @property
    def ms_per_text(self) -> float:
        """How long a text took, on this machine."""
        return 1000 * self.run.predict_s / len(self.run.predictions.scores)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A version, judged; and the champion beside it, if there is another one."""

    examples: int
    erased: int
    """Labelled predictions that were held out too, and whose texts are gone."""
    candidate: Judged
    champion: Judged | None
    comparison: Comparison | None
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "model": self.candidate.version.model,
            "examples": self.examples,
            "erased": self.erased,
            "candidate": _as_json(self.candidate),
            "champion": _as_json(self.champion) if self.champion else None,
            "comparison": _comparison_as_json(self.comparison) if self.comparison else None,
            "sentence": self.sentence,
        }


def main() -> None:
    """Parse the command line, evaluate, record, print."""
    arguments = _parser().parse_args()
    name, number = arguments.version
    try:
        registry = Registry(read(Settings, os.environ).tracking_uri)
    except ValueError as exc:
        sys.exit(str(exc))
    try:
        evaluation = evaluate_version(registry, name, number, data=arguments.data or ())
    except (UnknownModel, InvalidDataset, OSError, RegistryError, EvaluationFailed) as exc:
        sys.exit(f"{name}@{number} was not evaluated: {exc}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    if arguments.json:
        print(json.dumps(evaluation.as_json()))
    else:
        _show(evaluation)


def evaluate_version(
    registry: Registry, name: str, number: str, *, data: Sequence[Path]
) -> Evaluation:
    """Judge a version and the champion, and add the comparison to the version's run.

    data: files whose held-out part is predicted; none: the examples that were held out when the
    version was trained. Raises UnknownModel, InvalidDataset, OSError, RegistryError,
    EvaluationFailed.
    """
    model = model_class(name)()
    version, champion = registry.version(name, number), registry.alias(name, CHAMPION)
    examples, erased = (
        EvaluationSet(split(read_examples(data))[1], 0) if data else _held_out(registry, version)
    )
    check_truths(model, examples)
    judged = _judge(registry, version, model, examples)
    if champion is None or champion == version:
        sentence = (
            f"version {number} is the champion" if champion else f"{name} has no champion yet"
        )
        return Evaluation(len(examples), erased, judged, None, None, sentence)
    rival = _judge(registry, champion, model, examples)
    with MESSAGES.status("comparing"):
        comparison = compare(model, examples, judged.run.predictions, rival.run.predictions, SEED)
    sentence = comparison.sentence(version.number, champion.number)
    _record(registry, version, comparison, sentence, data)
    return Evaluation(len(examples), erased, judged, rival, comparison, sentence)


def _held_out(registry: Registry, version: Version) -> EvaluationSet:
    """What was held out when the version was trained, and is there still."""
    with tempfile.TemporaryDirectory() as scratch:
        evaluation = registry.evaluation(version.model, version.number, Path(scratch))
        labels = registry.labels(version.model, version.number, Path(scratch))
        try:
            return read_held_out(evaluation, labels, _find_texts)
        except psycopg.Error as exc:
            raise EvaluationFailed(
                "PostgreSQL, which PG* name, does not give the texts of its labelled predictions:"
                f" {exc}"
            ) from exc


def _find_texts(predictions: Sequence[UUID]) -> Mapping[UUID, str]:
    with connect() as connection:
        return TrainingStore(connection).texts(predictions)


def _record(
    registry: Registry,
    version: Version,
    comparison: Comparison,
    sentence: str,
    data: Sequence[Path],
) -> None:
    differences = {
        f"champion/{comparison.metric}_{field}": getattr(comparison, field)
        for field in ("difference", "low", "high")
    }
    files = " ".join(path.name for path in data) or "its own held-out examples"
    tags = {"comparison": sentence, "comparison.data": files}
    registry.record(version, metrics=differences, tags=tags)


def _judge(
    registry: Registry, version: Version, model: AbstractModel, examples: Sequence[Example]
) -> Judged:
    texts = [example.text for example in examples]
    with tempfile.TemporaryDirectory() as scratch, MESSAGES.status(f"evaluating {version}"):
        artifact = registry.download(version.model, version.number, Path(scratch))
        labels = json.loads((artifact / MANIFEST_FILE).read_text())["labels"]
        if labels != list(model.labels):
            raise EvaluationFailed(f"{version} has other labels: {', '.join(labels)}")
        try:
            run = run_artifact(artifact, texts, TIMEOUT_S)
        except ArtifactFailed as exc:
            raise EvaluationFailed(f"{version} {exc}") from exc
    return Judged(version, run, model.eval(examples, run.predictions))


def _show(evaluation: Evaluation) -> None:
    columns = [evaluation.candidate, *filter(None, [evaluation.champion])]
    table = Table(title=f"{evaluation.examples:,} held-out examples", title_justify="left")
    table.add_column("metric")
    for judged in columns:
        role = "champion, " if judged is evaluation.champion else ""
        table.add_column(f"{role}version {judged.version.number}", justify="right")
    for metric in evaluation.candidate.metrics:
        table.add_row(metric, *(f"{judged.metrics[metric]:.3f}" for judged in columns))
    table.add_row("ms per text", *(f"{judged.ms_per_text:.2f}" for judged in columns))
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    if evaluation.erased:
        console.print(f"{evaluation.erased:,} more were held out, and have no text any more")
    console.print(evaluation.sentence, markup=False)


def _comparison_as_json(comparison: Comparison) -> dict[str, Any]:
    return asdict(comparison) | {"verdict": comparison.verdict}


def _as_json(judged: Judged) -> dict[str, Any]:
    return {
        "version": judged.version.number,
        "variant": judged.version.variant,
        "metrics": judged.metrics,
        "ms_per_text": judged.ms_per_text,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -P -m training.evaluate", description=__doc__)
    add_evaluate_options(parser)
    return parser


if __name__ == "__main__":
    main()
