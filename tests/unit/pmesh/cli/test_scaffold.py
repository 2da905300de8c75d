"""A new model's folder: what is in it, and when none is written."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from modelkit.dataset import read_examples
from pmesh.scaffold.folder import write_model_folder
from pmesh.scaffold.names import DEFAULT_LABELS, InvalidName

ROOT = Path(__file__).parents[4]

any_labels = pytest.mark.parametrize(
    "labels",
    [DEFAULT_LABELS, ("spam", "ham"), ("yes", "no", "1"), tuple(f"label-{n}" for n in range(20))],
    ids=lambda labels: labels[0],
)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models that has none."""
    models = tmp_path / "models"
    models.mkdir()
    return models


@any_labels
def test_the_files_agree_on_name_and_labels(models: Path, labels: tuple[str, ...]) -> None:
    write_model_folder(models, "mine", labels)
    folder = models / "mine"
    values = yaml.safe_load((folder / "values.yaml").read_text())
    assert values["id"] == "mine"
    assert values["description"]
    assert values["labels"] == list(labels)
    examples = read_examples([folder / "data" / "sample.tsv"])
    assert {example.label for example in examples} == set(labels)
    assert len({example.id for example in examples}) == len(examples) == 30 * len(labels)


def test_a_name_that_yaml_has_a_meaning_for_stays_a_name(models: Path) -> None:
    write_model_folder(models, "on", DEFAULT_LABELS)
    assert yaml.safe_load((models / "on" / "values.yaml").read_text())["id"] == "on"


@any_labels
def test_the_code_is_in_the_style_of_the_project(models: Path, labels: tuple[str, ...]) -> None:
    write_model_folder(models, "mine", labels)
    checkout = models.parent
    (checkout / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    (checkout / "modelkit").symlink_to(ROOT / "modelkit")  # as a package of ours, to sort imports
    for command in (("check",), ("format", "--check")):
        done = subprocess.run(
            (sys.executable, "-m", "ruff", *command, "models"),
            cwd=checkout,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_it_needs_what_a_model_that_ships_needs(models: Path) -> None:
    write_model_folder(models, "mine", DEFAULT_LABELS)
    shipped = (ROOT / "models" / "genre" / "requirements.txt").read_text()
    assert (models / "mine" / "requirements.txt").read_text() == shipped


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Spam",
        "1spam",
        "my-model",
        "my_model",
        "a/b",
        "..",
        "class",
        "x" * 44,
        "mlflow",
        "spam\n",
    ],
)
def test_a_name_that_is_no_id_and_no_package_is_refused(models: Path, name: str) -> None:
    with pytest.raises(InvalidName):
        write_model_folder(models, name)
    assert list(models.iterdir()) == []


def test_a_name_that_the_bus_needs_for_itself_is_refused(models: Path) -> None:
    with pytest.raises(InvalidName, match="its queue"):
        write_model_folder(models, "gateway")
    assert list(models.iterdir()) == []


@pytest.mark.parametrize(
    "labels", [(), ("spam",), ("spam", "spam"), ("spam", ""), ("a b", "c"), ("a\tb", "c")]
)
def test_labels_that_cannot_be_told_apart_are_refused(
    models: Path, labels: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidName):
        write_model_folder(models, "mine", labels)
    assert list(models.iterdir()) == []


def test_a_failure_leaves_nothing_behind(models: Path) -> None:
    models.rmdir()
    with pytest.raises(OSError, match="models"):
        write_model_folder(models, "mine")
    assert list(models.parent.iterdir()) == []
