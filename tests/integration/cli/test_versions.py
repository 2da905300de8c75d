"""What `pmesh train` and `pmesh eval` refuse before anything is asked of the stack."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("arguments", "problem", "remedy"),
    [
        (("train", "poetry"), "there is no model 'poetry'", "one of: genre, sentiment"),
        (("eval", "poetry@1"), "there is no model 'poetry'", "one of: genre, sentiment"),
        (("eval", "genre"), "'genre' names no version", "pmesh eval genre@1"),
        (("eval", "genre@new"), "'genre@new' names no version", "pmesh eval genre@1"),
        (("train", "genre"), "no stack runs", "pmesh up"),
        (("eval", "genre@1"), "no stack runs", "pmesh up"),
    ],
)
def test_they_say_what_to_do(
    tmp_path: Path, arguments: tuple[str, ...], problem: str, remedy: str
) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "pmesh.cli", *arguments, "--home", str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert problem in done.stderr
    assert remedy in done.stderr


@pytest.mark.parametrize("command", ["train", "eval"])
def test_they_show_examples(command: str) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "pmesh.cli", command, "--help"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"pmesh {command} sentiment" in done.stdout
