"""Trains a model and registers it as a version: `python -m model_runtime.train NAME`.

MLFLOW_TRACKING_URI says where. Progress goes to stderr; the last line of stdout is the version.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from model_runtime.abstract_model import AbstractModel, Example
from model_runtime.artifact import UnknownModel, model_class, model_directory, write_artifact
from model_runtime.dataset import (
    InvalidDataset,
    check_truths,
    fingerprint,
    read_examples,
    split,
    write_examples,
)
from model_runtime.evaluation import write_figures
from model_runtime.golden import Golden, GoldenMismatch
from model_runtime.isolation import ArtifactFailed, run_artifact
from model_runtime.mlmodel import write_mlmodel
from model_runtime.registry import EVALUATION_FILE, RegistryError
from model_runtime.training_run import training_run

CONSOLE = Console(stderr=True)
EVALUATION_TIMEOUT_S = 1800.0
TORCH_DEVICES = {"cpu": "cpu", "gpu": "cuda"}
"""What PMESH_DEVICE says -> as torch names it."""


def main() -> None:
    """Parse the command line, train, and print the version."""
    arguments = _parser().parse_args()
    tracking_uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not tracking_uri:
        sys.exit("MLFLOW_TRACKING_URI is not set: it says where trainings are recorded")
    device = os.environ.get("PMESH_DEVICE", "cpu")
    if device not in TORCH_DEVICES:
        sys.exit(f"PMESH_DEVICE must be cpu or gpu, not {device!r}")
    try:
        version = train_version(
            arguments.name,
            variant=arguments.variant,
            data=arguments.data or shipped_data(arguments.name),
            seed=arguments.seed,
            tracking_uri=tracking_uri,
            device=TORCH_DEVICES[device],
        )
    except (
        *(UnknownModel, InvalidDataset, OSError),
        *(ArtifactFailed, GoldenMismatch, RegistryError),
    ) as exc:
        sys.exit(f"{arguments.name} was not trained: {exc}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    print(version)


def train_version(
    name: str,
    *,
    variant: str,
    data: Sequence[Path],
    seed: int,
    tracking_uri: str,
    device: str = "cpu",
) -> str:
    """Train, evaluate on held-out examples, and register.

    device: where to compute, as torch names it.
    Answers the version. Raises UnknownModel, InvalidDataset, OSError, RegistryError;
    ArtifactFailed and GoldenMismatch if the saved model is not the trained one.
    """
    model = model_class(name, variant)(device=device)
    examples = read_examples(data)
    check_truths(model, examples)
    learned, held_out = split(examples)
    with (
        tempfile.TemporaryDirectory() as scratch,
        training_run(tracking_uri=tracking_uri, model=name) as run,
    ):
        artifact, evaluation = Path(scratch, "model"), Path(scratch, "evaluation")
        evaluation.mkdir()
        write_examples(evaluation / EVALUATION_FILE, held_out)
        run.log_parameters(
            {
                "variant": variant,
                "seed": seed,
                "examples": len(learned),
                "held_out": len(held_out),
                "data": " ".join(path.name for path in data),
                "data_sha256": fingerprint(data),
            }
        )
        seconds = _train(model, name, learned, seed=seed)
        _save(model, artifact, held_out)
        metrics = _evaluate(name, model, artifact, held_out, into=evaluation)
        run.log_metrics({**metrics, "training_seconds": seconds})
        run.log_evaluation(evaluation)
        return run.register(artifact, variant=variant)


def shipped_data(name: str) -> list[Path]:
    """The files in the model's own data folder."""
    return sorted((model_directory(name) / "data").glob("*.tsv"))


def _train(model: AbstractModel, name: str, examples: Sequence[Example], *, seed: int) -> float:
    """Answers how many seconds it took."""
    started = time.monotonic()
    with Progress(console=CONSOLE) as progress:
        task = progress.add_task(f"training {name}", total=1.0)
        model.train(
            examples, seed=seed, progress=lambda share: progress.update(task, completed=share)
        )
    return time.monotonic() - started


def _save(model: AbstractModel, artifact: Path, held_out: Sequence[Example]) -> None:
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
    parser = argparse.ArgumentParser(prog="python -m model_runtime.train", description=__doc__)
    parser.add_argument("name", help="the model: a folder under models/")
    parser.add_argument(
        "--variant", default="model", help="which file of the folder holds the class"
    )
    parser.add_argument(
        "--data", nargs="+", type=Path, help="files to learn from; default: its own"
    )
    parser.add_argument("--seed", default=0, type=int, help="the same seed gives the same model")
    return parser


if __name__ == "__main__":
    main()
