"""A model's way from its data to an answer: trained, registered, laid down, served."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from model_runtime.artifact import model_directory
from tests.integration.runtime.process import Runtime
from tests.integration.triton import Triton

Train = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One for all, since MLflow takes long to make its tables."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def train(tmp_path: Path, tracking_uri: str) -> Train:
    """Runs the command as a user does."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "model_runtime.train", *arguments],
            env={**os.environ, "MLFLOW_TRACKING_URI": tracking_uri},
            cwd=tmp_path,  # where MLflow keeps artefacts when it has no server
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_trained_model_is_recorded_and_answers(
    train: Train, tracking_uri: str, triton: Triton, lone_environment: dict[str, str]
) -> None:
    trained = train("genre", "--repository", str(triton.repository))
    assert trained.returncode == 0, trained.stderr
    number = trained.stdout.splitlines()[-1]

    client = MlflowClient(tracking_uri)
    version = client.get_model_version("genre", number)
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert len(run.data.params["data_sha256"]) == 64
    assert run.data.metrics["accuracy"] > 0.5
    names = {entry.path for entry in client.list_artifacts(version.run_id, "model")}
    assert {"model/weights.safetensors", "model/model.json", "model/code"} <= names

    triton.load("genre")
    with Runtime(lone_environment, model="genre") as runtime:
        runtime.wait_until_serving()
        (result,) = runtime.predict(["omg so happy :) @bob"], model="genre", version=number).results
    assert result.output.label == "tweet"
    assert not result.output.HasField("value")


def test_given_files_are_learned_instead(train: Train, tracking_uri: str, tmp_path: Path) -> None:
    shipped = model_directory("genre") / "data"
    data = [str(shipped / "movies.tsv"), str(shipped / "tweets.tsv")]
    trained = train("genre", "--repository", str(tmp_path / "repository"), "--data", *data)
    assert trained.returncode == 0, trained.stderr
    client = MlflowClient(tracking_uri)
    number = trained.stdout.splitlines()[-1]
    run = client.get_run(client.get_model_version("genre", number).run_id)
    assert run.data.params["data"] == "movies.tsv tweets.tsv"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("unknown", [], "there is no models/unknown/model.py"),
        ("genre", ["missing.tsv"], "missing.tsv"),
    ],
)
def test_what_cannot_be_trained_says_why_in_one_line(
    train: Train, tmp_path: Path, name: str, data: list[str], message: str
) -> None:
    repository = tmp_path / "repository"
    trained = train(name, "--repository", str(repository), *(["--data", *data] if data else []))
    assert trained.returncode == 1
    assert trained.stdout == ""
    assert message in trained.stderr.splitlines()[-1]
    assert not repository.exists()
