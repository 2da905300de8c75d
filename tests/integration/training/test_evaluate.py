"""A version compared with the champion, each with its own code and weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from modelkit.artifact import model_directory, write_artifact
from modelkit.dataset import read_examples, split
from modelkit.registry import CHAMPION, Registry, Version
from tests.integration.training.conftest import RunProgram
from tests.parts.mlflow_server import MlflowServer
from tests.parts.parrot.model import Model as Parrot
from training.train import shipped_data, train_version
from training.training_run import training_run

EVALUATE = "training.evaluate"
DATA = model_directory("genre") / "data"

Register = Callable[..., Version]


@pytest.fixture(scope="module")
def trained(mlflow: MlflowServer, registry: Registry) -> Version:
    """A good version of genre."""
    data = shipped_data("genre")
    number = train_version("genre", variant="model", data=data, seed=0, tracking_uri=mlflow.uri)
    return registry.version("genre", number)


@pytest.fixture
def champion(registry: Registry, trained: Version) -> Version:
    registry.set_alias("genre", CHAMPION, trained.number)
    return trained


@pytest.fixture
def register(
    mlflow: MlflowServer, registry: Registry, trained: Version, tmp_path: Path
) -> Register:
    """Registers the good version once more, with other code."""
    original = registry.download("genre", trained.number, tmp_path)
    evaluation = registry.evaluation("genre", trained.number, tmp_path).parent

    def copy(old: str, new: str) -> Version:
        artifact = tmp_path / "copy"
        shutil.copytree(original, artifact)
        source = artifact / "code" / "models" / "genre" / "model.py"
        text = source.read_text()
        assert old in text
        source.write_text(text.replace(old, new))
        with training_run(tracking_uri=mlflow.uri, model="genre") as run:
            run.log_evaluation(evaluation)
            number = run.register(artifact, variant="model")
        return registry.version("genre", number)

    return copy


def test_a_version_with_worse_code_is_worse(
    run_program: RunProgram, mlflow: MlflowServer, champion: Version, register: Register
) -> None:
    candidate = register("logits.softmax(dim=1)", "(-logits).softmax(dim=1)")
    done = run_program(EVALUATE, str(candidate))
    assert done.returncode == 0, done.stderr
    sentence = done.stdout.splitlines()[-1]
    expected = f"version {candidate.number} is worse than version {champion.number}: f1_macro -0."
    assert sentence.startswith(expected)
    held_out = split(read_examples(shipped_data("genre")))[1]
    assert f"{len(held_out)} held-out examples" in done.stdout

    run = MlflowClient(mlflow.uri).get_run(candidate.run_id)
    assert run.data.tags["comparison"] == sentence
    assert run.data.metrics["champion/f1_macro_high"] < 0


def test_programs_read_json(run_program: RunProgram, champion: Version, register: Register) -> None:
    candidate = register("FEATURES = 24\n", "FEATURES = 24  # the same\n")
    data = (DATA / "movies.tsv", DATA / "tweets.tsv")
    done = run_program(EVALUATE, str(candidate), "--json", "--data", *map(str, data))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["examples"] == len(split(read_examples(data))[1])
    assert said["candidate"]["version"] == candidate.number
    assert said["champion"]["version"] == champion.number
    assert said["candidate"]["metrics"] == said["champion"]["metrics"]
    assert said["comparison"]["verdict"] == "not distinguishable"
    assert said["comparison"]["low"] == said["comparison"]["high"] == 0


def test_the_champion_is_not_compared_with_itself(
    run_program: RunProgram, champion: Version
) -> None:
    done = run_program(EVALUATE, str(champion))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"version {champion.number} is the champion"
    assert "f1_macro" in done.stdout


def test_without_a_champion_it_gives_the_figures(
    run_program: RunProgram, mlflow: MlflowServer
) -> None:
    data = shipped_data("sentiment")
    number = train_version("sentiment", variant="model", data=data, seed=0, tracking_uri=mlflow.uri)
    done = run_program(EVALUATE, f"sentiment@{number}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "sentiment has no champion yet"
    assert "pearson_r" in done.stdout


def test_a_version_that_crashes_is_named(
    run_program: RunProgram, champion: Version, register: Register
) -> None:
    candidate = register("first = len(TYPOGRAPHY) + 1", "import os; os._exit(7)")
    done = run_program(EVALUATE, str(candidate))
    assert done.returncode == 1
    assert done.stdout == ""
    problem = f"was not evaluated: {candidate} crashed: exit status 7"
    assert problem in done.stderr.splitlines()[-1]


def test_a_version_with_other_labels_is_not_compared(
    run_program: RunProgram, mlflow: MlflowServer, tmp_path: Path
) -> None:
    write_artifact(Parrot(), tmp_path / "parrot")
    with training_run(tracking_uri=mlflow.uri, model="genre") as run:
        number = run.register(tmp_path / "parrot", variant="model")
    done = run_program(EVALUATE, f"genre@{number}", "--data", str(DATA / "movies.tsv"))
    assert done.returncode == 1
    assert f"genre@{number} has other labels: negative, neutral, positive" in done.stderr


def test_changed_files_are_not_run(
    run_program: RunProgram, mlflow: MlflowServer, register: Register
) -> None:
    candidate = register("FEATURES = 24\n", "FEATURES = 24  # the same\n")
    (code,) = mlflow.artifacts.glob(f"*/{candidate.run_id}/artifacts/model/code/models/genre")
    (code / "model.py").write_text("raise SystemExit('I ran')\n")
    done = run_program(EVALUATE, str(candidate))
    assert done.returncode == 1
    assert "is not what was registered" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("genre", "write it as sentiment@3"),
        ("genre@999", "genre has no version 999"),
        ("genre@latest", "write it as sentiment@3"),
        ("unknown@1", "there is no models/unknown/model.py"),
    ],
)
def test_what_is_no_version_is_refused(
    run_program: RunProgram, trained: Version, version: str, message: str
) -> None:
    done = run_program(EVALUATE, version)
    assert done.returncode
    assert message in done.stderr.splitlines()[-1]
