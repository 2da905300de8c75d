"""Versions in a real MLflow: read, copied, checked, named champion."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelkit.artifact import digest, write_artifact
from modelkit.mlmodel import write_mlmodel
from modelkit.registry import (
    ArtifactCorrupt,
    Registry,
    RegistryUnavailable,
    Version,
    VersionUnknown,
)
from tests.parts.mlflow_server import MlflowServer
from tests.parts.old_artifact import as_before
from tests.parts.parrot.model import Model
from tests.parts.ports import free_port
from training.training_run import training_run

NAME = "registered-parrot"


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    directory = tmp_path / "trained"
    write_artifact(Model(version=3), directory)
    write_mlmodel(Model, directory)
    return directory


@pytest.fixture
def version(mlflow: MlflowServer, registry: Registry, artifact: Path) -> Version:
    """A new one."""
    with training_run(tracking_uri=mlflow.uri, model=NAME) as run:
        number = run.register(artifact, variant="loud")
    return registry.version(NAME, number)


def stored(mlflow: MlflowServer, version: Version) -> Path:
    """Where MLflow keeps the version's files."""
    (directory,) = mlflow.artifacts.glob(f"*/{version.run_id}/artifacts")
    return directory


def test_a_version_tells_its_digest_and_its_variant(version: Version, artifact: Path) -> None:
    assert version.sha256 == digest(artifact)
    assert version.variant == "loud"
    assert str(version) == f"{NAME}@{version.number}"


def test_the_latest_has_the_highest_number(
    mlflow: MlflowServer, registry: Registry, artifact: Path
) -> None:
    with training_run(tracking_uri=mlflow.uri, model="twelve") as run:
        numbers = [run.register(artifact, variant="model") for _ in range(11)]
    assert numbers[-1] == "11"
    assert registry.latest("twelve").number == "11"


def test_a_copy_is_the_same_to_the_byte(
    registry: Registry, version: Version, artifact: Path, tmp_path: Path
) -> None:
    copy = registry.download(NAME, version.number, tmp_path / "copy")
    assert copy == tmp_path / "copy" / "model"
    assert digest(copy) == digest(artifact)


@pytest.mark.parametrize(
    "change", [lambda artifact: None, as_before], ids=["today", "trained before"]
)
def test_mlflow_loads_a_version_by_its_own_means(
    mlflow: MlflowServer, artifact: Path, change: Callable[[Path], None]
) -> None:
    change(artifact)
    with training_run(tracking_uri=mlflow.uri, model=NAME) as run:
        number = run.register(artifact, variant="model")
    program = f"""
import mlflow.pyfunc, json
model = mlflow.pyfunc.load_model("models:/{NAME}/{number}")
said = model.predict(["one", "three"])
print(json.dumps({{name: array.tolist() for name, array in said.items()}}))
print(model.metadata.signature.outputs.input_names())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"MLFLOW_TRACKING_URI": mlflow.uri},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, names = done.stdout.splitlines()[-2:]
    assert [row[0] for row in json.loads(said)["features"]] == [3.0, 3.0]
    assert names == "['scores', 'features', 'value']"


def test_files_that_were_changed_are_refused(
    mlflow: MlflowServer, registry: Registry, version: Version, tmp_path: Path
) -> None:
    (stored(mlflow, version) / "model" / "code" / "more.py").write_text("evil = True\n")
    with pytest.raises(ArtifactCorrupt, match="is not what was registered"):
        registry.download(NAME, version.number, tmp_path / "copy")


def test_files_that_are_gone_are_missed(
    mlflow: MlflowServer, registry: Registry, version: Version, tmp_path: Path
) -> None:
    (stored(mlflow, version) / "model").rename(tmp_path / "elsewhere")
    with pytest.raises(ArtifactCorrupt, match="has no model;"):
        registry.download(NAME, version.number, tmp_path / "copy")
    with pytest.raises(ArtifactCorrupt, match=r"has no evaluation/evaluation\.tsv;"):
        registry.evaluation(NAME, version.number, tmp_path / "copy")


def test_an_alias_belongs_to_one_version(
    mlflow: MlflowServer, registry: Registry, version: Version, artifact: Path
) -> None:
    assert registry.alias(NAME, "best") is None
    registry.set_alias(NAME, "best", version.number)
    assert registry.alias(NAME, "best") == version
    with training_run(tracking_uri=mlflow.uri, model=NAME) as run:
        number = run.register(artifact, variant="model")
    registry.set_alias(NAME, "best", number)
    assert registry.alias(NAME, "best") == registry.version(NAME, number)


def test_a_model_without_versions_has_no_aliases(registry: Registry) -> None:
    assert registry.alias("nothing", "champion") is None


@pytest.mark.parametrize("number", ["999", "0", "latest", ""])
def test_an_unknown_version_is_refused(
    registry: Registry, version: Version, tmp_path: Path, number: str
) -> None:
    for ask in (
        lambda: registry.version(NAME, number),
        lambda: registry.download(NAME, number, tmp_path),
        lambda: registry.evaluation(NAME, number, tmp_path),
        lambda: registry.set_alias(NAME, "champion", number),
    ):
        with pytest.raises(VersionUnknown):
            ask()


def test_an_unknown_model_is_refused(registry: Registry) -> None:
    with pytest.raises(VersionUnknown, match="train one"):
        registry.latest("nothing")
    with pytest.raises(VersionUnknown):
        registry.version("nothing", "1")


def test_a_registry_that_is_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    uri = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(RegistryUnavailable, match=uri):
        Registry(uri).latest(NAME)


def test_a_registry_that_does_not_answer_is_given_up(
    mlflow: MlflowServer, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with mlflow.frozen(), pytest.raises(RegistryUnavailable, match="timed out"):
        registry.latest(NAME)


def test_a_training_that_fails_is_marked_so(mlflow: MlflowServer) -> None:
    from mlflow import MlflowClient

    with (
        pytest.raises(RuntimeError, match="no luck"),
        training_run(tracking_uri=mlflow.uri, model="unlucky"),
    ):
        raise RuntimeError("no luck")
    client = MlflowClient(mlflow.uri)
    experiment = client.get_experiment_by_name("unlucky")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"
