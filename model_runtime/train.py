"""Trains a model and lays it into the Triton repository: `python -m model_runtime.train NAME`.

Progress goes to stderr; the last line of stdout is the new version.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlflow.exceptions import MlflowException
from rich.console import Console
from rich.progress import Progress

from model_runtime.abstract_model import AbstractModel, Example
from model_runtime.artifact import UnknownModel, model_class, model_directory, write_artifact
from model_runtime.dataset import InvalidDataset, fingerprint, read_examples, split
from model_runtime.registry import training_run
from triton_repo.writer import write_version

CONSOLE = Console(stderr=True)


def main() -> None:
    """Parse the command line, train, and print the version."""
    arguments = _parser().parse_args()
    tracking_uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not tracking_uri:
        sys.exit("MLFLOW_TRACKING_URI is not set: it says where trainings are recorded")
    try:
        version = train_version(
            arguments.name,
            data=arguments.data or shipped_data(arguments.name),
            repository=arguments.repository,
            seed=arguments.seed,
            tracking_uri=tracking_uri,
        )
    except (UnknownModel, InvalidDataset, OSError, MlflowException) as exc:
        sys.exit(f"{arguments.name} was not trained: {exc}")
    print(version)


def train_version(
    name: str, *, data: Sequence[Path], repository: Path, seed: int, tracking_uri: str
) -> str:
    """Train, evaluate on held-out examples, register, and lay the version into the repository.

    Answers the version. Raises UnknownModel, InvalidDataset, OSError, MlflowException.
    """
    model = model_class(name)()
    learned, held_out = split(read_examples(data))
    with training_run(tracking_uri=tracking_uri, model=name) as run, _scratch() as scratch:
        run.log_parameters(
            {
                "seed": seed,
                "examples": len(learned),
                "held_out": len(held_out),
                "data": " ".join(path.name for path in data),
                "data_sha256": fingerprint(data),
            }
        )
        _train(model, name, learned, seed=seed)
        run.log_metrics(_evaluate(model, held_out))
        artifact = scratch / "model"
        write_artifact(model, artifact)
        version = run.register(artifact)
        write_version(repository, name, version, artifact)
    return version


def shipped_data(name: str) -> list[Path]:
    """The files in the model's own data folder."""
    return sorted((model_directory(name) / "data").glob("*.tsv"))


def _train(model: AbstractModel, name: str, examples: Sequence[Example], *, seed: int) -> None:
    with Progress(console=CONSOLE) as progress:
        task = progress.add_task(f"training {name}", total=1.0)
        model.train(
            examples, seed=seed, progress=lambda share: progress.update(task, completed=share)
        )


def _evaluate(model: AbstractModel, examples: Sequence[Example]) -> dict[str, float]:
    metrics = model.eval(examples, model.predict([example.text for example in examples]))
    for metric, value in metrics.items():
        CONSOLE.print(f"  {metric} {value:.3f}")
    return metrics


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model_runtime.train", description=__doc__)
    parser.add_argument("name", help="the model: a folder under models/")
    parser.add_argument(
        "--data", nargs="+", type=Path, help="files to learn from; default: its own"
    )
    parser.add_argument("--repository", required=True, type=Path, help="the Triton repository")
    parser.add_argument("--seed", default=0, type=int, help="the same seed gives the same model")
    return parser


if __name__ == "__main__":
    main()
