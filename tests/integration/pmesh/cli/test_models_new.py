"""`pmesh models new`: the folder of a model, written into a small checkout and used there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pmesh.scaffold.folder import write_model_folder
from pmesh.scaffold.names import DEFAULT_LABELS

ROOT = Path(__file__).parents[4]
FILES = {"pyproject.toml", "modelkit"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The project's settings, what a model imports, and an empty list of models."""
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "modelkit").symlink_to(ROOT / "modelkit")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").touch()
    return tmp_path


def run(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module there; its own `models` go before those of this project."""
    paths = [str(checkout), str(ROOT), str(ROOT / "build" / "gen")]
    return subprocess.run(
        (sys.executable, "-m", *command),
        cwd=checkout,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "COLUMNS": "100",
            "OMP_NUM_THREADS": "1",  # small trainings, beside other tests
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_command_writes_a_model_whose_own_tests_pass(checkout: Path) -> None:
    done = run(checkout, "pmesh.cli", "models", "new", "support")
    assert done.returncode == 0, done.stderr
    for path in (checkout / "models" / "support").iterdir():
        assert path.name in done.stdout
    assert "pytest models/support" in done.stdout
    assert "A stack is running" not in done.stdout
    tested = run(checkout, "pytest", "-q", "models/support")
    assert tested.returncode == 0, tested.stdout
    listed = run(checkout, "pmesh.cli", "models", "list")
    assert listed.stdout.splitlines()[1].split()[0] == "support"


def test_a_model_with_other_labels_passes_its_own_tests(checkout: Path) -> None:
    done = run(checkout, "pmesh.cli", "models", "new", "mine", "--labels", "yes, no")
    assert done.returncode == 0, done.stderr
    tested = run(checkout, "pytest", "-q", "models/mine")
    assert tested.returncode == 0, tested.stdout


def test_the_code_has_sound_types(checkout: Path) -> None:
    write_model_folder(checkout / "models", "mine", DEFAULT_LABELS)
    done = run(checkout, "mypy", "-p", "models.mine")
    assert done.returncode == 0, done.stdout


def test_a_folder_that_is_there_stays_as_it_is(checkout: Path) -> None:
    (checkout / "models" / "mine").mkdir()
    done = run(checkout, "pmesh.cli", "models", "new", "mine")
    assert done.returncode == 1
    assert "there is a models/mine already" in done.stderr
    assert names(checkout / "models" / "mine") == set()
    assert names(checkout) == FILES | {"models"}


def test_a_refused_name_is_explained(checkout: Path) -> None:
    done = run(checkout, "pmesh.cli", "models", "new", "my-model")
    assert done.returncode == 1
    assert "a Python package" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_place_is_refused_and_the_right_one_named(checkout: Path) -> None:
    elsewhere = checkout / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        (sys.executable, "-m", "pmesh.cli", "models", "new", "mine"),
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": f"{checkout}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"cd {checkout}" in done.stderr
    assert names(checkout / "models") == {"__init__.py"}
