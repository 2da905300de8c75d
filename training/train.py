"""Trains a model and registers it as a version: `python -P -m training.train NAME`.

MLFLOW_TRACKING_URI says where. Progress goes to stderr; the last line of stdout is the version.
With --from-labels it learns from what people said of predictions too, which PostgreSQL has: PG* say
where that is.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
from rich.console import Console
from rich.progress import Progress

from contract.settings import read
from database.connections import connect
from modelkit.abstract_model import AbstractModel, Example
from modelkit.artifact import UnknownModel, model_class, model_directory, write_artifact
from modelkit.dataset import (
    InvalidDataset,
    check_truths,
    fingerprint,
    read_examples,
    split,
    write_examples,
)
from modelkit.golden import Golden, GoldenMismatch
from modelkit.isolation import ArtifactFailed, run_artifact
from modelkit.mlmodel import write_mlmodel
from modelkit.registry import CHAMPION, EVALUATION_FILE, Registry, RegistryError
from training.evaluation import write_figures
from training.labels import LabelSet, read_label_set, write_provenance
from training.mixing import Mixed, mix
from training.options import add_train_options, check_train_options
from training.settings import Settings
from training.store import TrainingStore
from training.training_run import RETRIES, TIMEOUT_S, training_run

CONSOLE = Console(stderr=True)
EVALUATION_TIMEOUT_S = 1800.0
TORCH_DEVICES = {"cpu": "cpu", "gpu": "cuda"}
"""What PMESH_DEVICE says -> as torch names it."""


def main() -> None:
    """Parse the command line, train, and print the version."""
    parser = _parser()
    arguments = parser.parse_args()
    try:
        check_train_options(arguments)
    except ValueError as exc:
        parser.error(str(exc))
    try:
        settings = read(Settings, os.environ)
    except ValueError as exc:
        sys.exit(str(exc))
    try:
        version = _train(arguments, settings)
    except (
        *(UnknownModel, InvalidDataset, OSError),
        *(ArtifactFailed, GoldenMismatch, RegistryError),
    ) as exc:
        sys.exit(f"{arguments.name} was not trained: {exc}")
    except psycopg.Error as exc:
        why = f"PostgreSQL, which PG* name, does not give its labels: {exc}"
        sys.exit(f"{arguments.name} was not trained: {why}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    print(version)


def _train(arguments: argparse.Namespace, settings: Settings) -> str:
    """What the command line asks for; the version."""
    name, variant = arguments.name, arguments.variant
    if settings.retraining:
        registry = Registry(settings.tracking_uri, timeout_s=TIMEOUT_S, retries=RETRIES)
        if done := registry.of_retraining(name, settings.retraining):
            return done.number
        champion = registry.alias(name, CHAMPION)
        variant = variant or (champion and champion.variant)
    data = arguments.data or shipped_data(name)
    labels = None
    if arguments.from_labels:
        with connect() as connection:
            labels = read_label_set(TrainingStore(connection), name, arguments.since)
    return train_version(
        name,
        variant=variant or "model",
        data=data,
        labels=labels,
        seed=arguments.seed,
        tracking_uri=settings.tracking_uri,
        device=TORCH_DEVICES[settings.device],
        retraining=settings.retraining,
    )


def train_version(
    name: str,
    *,
    variant: str,
    data: Sequence[Path],
    seed: int,
    tracking_uri: str,
    device: str = "cpu",
    labels: LabelSet | None = None,
    retraining: str = "",
) -> str:
    """Train, evaluate on held-out examples, and register.

    device: where to compute, as torch names it. labels: what is mixed with the data. retraining:
    the recorded training that this is, or empty.
    Answers the version. Raises UnknownModel, InvalidDataset, OSError, RegistryError;
    ArtifactFailed and GoldenMismatch if the saved model is not the trained one.
    """
    model = model_class(name, variant)(device=device)
    examples = read_examples(data)
    check_truths(model, examples)
    mixed = mix(model, examples, labels.labelled) if labels else Mixed(*split(examples))
    with (
        tempfile.TemporaryDirectory() as scratch,
        training_run(tracking_uri=tracking_uri, model=name) as run,
    ):
        artifact, evaluation = Path(scratch, "model"), Path(scratch, "evaluation")
        evaluation.mkdir()
        write_examples(evaluation / EVALUATION_FILE, mixed.held_out)
        parameters = {
            "variant": variant,
            "seed": seed,
            "examples": len(mixed.learned),
            "held_out": len(mixed.held_out),
            "data": " ".join(path.name for path in data),
            "data_sha256": fingerprint(data),
        }
        if labels:
            write_provenance(evaluation, labels, mixed.splits)
            parameters |= {
                "labelled": len(mixed.splits),
                "labelled_held_out": len(mixed.labelled_held_out),
                "labelled_since": labels.since.isoformat() if labels.since else "",
            }
        run.log_parameters(parameters)
        seconds = _learn(model, name, mixed.learned, seed=seed)
        _save(model, artifact, mixed.held_out)
        metrics = _evaluate(name, model, artifact, mixed.representative, into=evaluation)
        run.log_metrics({**metrics, "training_seconds": seconds})
        run.log_evaluation(evaluation)
        return run.register(artifact, variant=variant, retraining=retraining)


def shipped_data(name: str) -> list[Path]:
    """The files in the model's own data folder."""
    return sorted((model_directory(name) / "data").glob("*.tsv"))


def _learn(model: AbstractModel, name: str, examples: Sequence[Example], *, seed: int) -> float:
    """Answers how many seconds it took."""
    started = time.monotonic()
    with Progress(console=CONSOLE) as progress:
        task = progress.add_task(f"training {name}", total=1.0)
        model.train(
            examples, seed=seed, progress=lambda share: progress.update(task, completed=share)
        )
    return time.monotonic() - started


def _save(model: AbstractModel, artifact: Path, held_out: Sequence[Example]) -> None:
    """held_out: none whose text is of traffic, as the version keeps some of these texts."""
    write_artifact(model, artifact)
    write_mlmodel(type(model), artifact)
    Golden.record(model, [example.text for example in held_out]).write(artifact)


def _evaluate(
    name: str, model: AbstractModel, artifact: Path, examples: Sequence[Example], *, into: Path
) -> dict[str, float]:
    """Judge what was saved, not what is in memory: that is what will serve."""
    texts = [example.text for example in examples]
    golden = Golden.read(artifact)
    with CONSOLE.status("evaluating"):
        golden.check(run_artifact(artifact, golden.texts, EVALUATION_TIMEOUT_S).predictions)
        predictions = run_artifact(artifact, texts, EVALUATION_TIMEOUT_S).predictions
    metrics = model.eval(examples, predictions)
    write_figures(
        into,
        name=name,
        model=model,
        examples=examples,
        predictions=predictions,
        metrics=metrics,
    )
    for metric, value in metrics.items():
        CONSOLE.print(f"  {metric} {value:.3f}")
    return metrics


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -P -m training.train", description=__doc__)
    add_train_options(parser)
    return parser


if __name__ == "__main__":
    main()
