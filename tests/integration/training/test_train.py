"""A model's way from its data to an answer: trained, registered, laid down, served."""

import json
import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from inference.blocking import infer
from modelkit.artifact import model_class, model_directory
from modelkit.dataset import read_examples, split
from modelkit.golden import EDGE_TEXTS, Golden
from modelkit.isolation import run_artifact
from modelkit.registry import Registry, Version
from tests.integration.training.conftest import RunProgram
from tests.parts.mlflow_server import MlflowServer
from tests.parts.triton import Triton
from training.train import shipped_data
from triton_repo.writer import write_version

DATA = model_directory("genre") / "data"
PNG = b"\x89PNG\r\n\x1a\n"


def train(run_program: RunProgram, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_program("training.train", *arguments)


def train_genre(run_program: RunProgram, registry: Registry, *arguments: str) -> Version:
    trained = train(run_program, "genre", *arguments)
    assert trained.returncode == 0, trained.stderr
    return registry.version("genre", trained.stdout.splitlines()[-1])


def run_of(mlflow: MlflowServer, version: Version) -> Run:
    return MlflowClient(mlflow.uri).get_run(version.run_id)


def test_a_trained_model_is_recorded_and_answers(
    run_program: RunProgram,
    mlflow: MlflowServer,
    registry: Registry,
    triton: Triton,
    tmp_path: Path,
) -> None:
    version = train_genre(run_program, registry, "--seed", "5")
    assert version.variant == "model"

    run = run_of(mlflow, version)
    learned, held_out = split(read_examples(shipped_data("genre")))
    assert run.info.status == "FINISHED"
    assert run.data.params.pop("data_sha256")
    assert run.data.params == {
        "variant": "model",
        "seed": "5",
        "examples": str(len(learned)),
        "held_out": str(len(held_out)),
        "data": "amazon.tsv movies.tsv tweets.tsv",
    }
    assert run.data.metrics["accuracy"] > 0.5
    assert run.data.metrics["training_seconds"] > 0

    artifact = registry.download("genre", version.number, tmp_path)
    golden = Golden.read(artifact)
    assert set(EDGE_TEXTS) < set(golden.texts)
    golden.check(run_artifact(artifact, golden.texts, timeout_s=60).predictions)

    write_version(triton.repository, "genre", version.number, artifact, sha256=version.sha256)
    triton.load("genre")
    said = infer(triton.address, "genre", version.number, ["omg so happy :) @bob"])
    assert model_class("genre").labels[said["scores"][0].argmax()] == "tweet"
    assert "value" not in said


def test_the_evaluation_lies_beside_the_model(
    run_program: RunProgram, mlflow: MlflowServer, registry: Registry, tmp_path: Path
) -> None:
    version = train_genre(run_program, registry)
    _, held_out = split(read_examples(shipped_data("genre")))
    file = registry.evaluation("genre", version.number, tmp_path)
    assert [repr(e) for e in read_examples([file])] == [repr(e) for e in held_out]

    client = MlflowClient(mlflow.uri)
    folder = Path(client.download_artifacts(version.run_id, "evaluation", str(tmp_path)))
    for figure in ("confusion.png", "reliability.png"):
        assert (folder / figure).read_bytes().startswith(PNG)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics.items() <= run_of(mlflow, version).data.metrics.items()
    confusion = json.loads((folder / "confusion.json").read_text())
    assert confusion["labels"] == list(model_class("genre").labels)
    assert sum(map(sum, confusion["counts"])) == len(held_out)
    assert sum(json.loads((folder / "reliability.json").read_text())["counts"]) == len(held_out)


def test_the_same_seed_and_data_give_the_same_digest(
    run_program: RunProgram, registry: Registry
) -> None:
    data = ("--data", str(DATA / "movies.tsv"), str(DATA / "tweets.tsv"))
    first = train_genre(run_program, registry, *data)
    again = train_genre(run_program, registry, *data)
    other = train_genre(run_program, registry, *data, "--seed", "1")
    assert first.number != again.number
    assert first.sha256 == again.sha256 != other.sha256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["unknown"], "there is no models/unknown/model.py"),
        (["genre", "--variant", "vast"], "there is no models/genre/vast.py"),
        (["genre", "--data", "missing.tsv"], "missing.tsv"),
        (["genre", "--data", "mail.tsv"], "example mail-1 is nothing, but must be one of movie_re"),
    ],
)
def test_what_cannot_be_trained_says_why_in_one_line(
    run_program: RunProgram, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "mail.tsv").write_text("id\trating\ttext\nmovies-1\t1\tone\nmail-1\t1\ttwo\n")
    trained = train(run_program, *arguments)
    assert trained.returncode == 1
    assert trained.stdout == ""
    assert message in trained.stderr.splitlines()[-1]
