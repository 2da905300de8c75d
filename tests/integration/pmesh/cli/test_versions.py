"""What `pmesh train`, `eval` and `release` refuse before anything is asked of the stack."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("arguments", "problem", "remedy"),
    [
        (("train", "poetry"), "there is no model 'poetry'", "one of: genre, sentiment"),
        (("eval", "poetry@1"), "there is no model 'poetry'", "one of: genre, sentiment"),
        (("eval", "genre"), "'genre' names no version; write it as sentiment@3", "eval --help"),
        (("eval", "genre@new"), "'genre@new' names no version", "eval --help"),
        (("release", "genre@0"), "'genre@0' names no version", "release --help"),
        (("release",), "required: NAME@VERSION", "release --help"),
        (
            ("release", "genre@1", "--canary", "0"),
            "a share is 0.01 to 100 percent",
            "release --help",
        ),
        (("release", "genre@1", "--steps", "50,10"), "steps rise", "release --help"),
        (
            ("release", "genre@1", "--canary", "1", "--steps", "10,50"),
            "argument --steps: not allowed with argument --canary",
            "release --help",
        ),
        (
            ("train", "genre", "--seed", "x"),
            "--seed: it must be a whole number",
            "train --help",
        ),
        (("train", "genre"), "no stack runs", "pmesh up"),
        (("eval", "genre@1"), "no stack runs", "pmesh up"),
        (("release", "--canary", "10", "genre@1"), "no stack runs", "pmesh up"),
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


@pytest.mark.parametrize(
    ("command", "option"),
    [("train", "--variant VARIANT"), ("eval", "--json"), ("release", "--steps PERCENTS")],
)
def test_they_show_examples_and_the_options_of_their_programs(command: str, option: str) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "pmesh.cli", command, "--help"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"\npmesh {command} sentiment" in done.stdout
    assert option in done.stdout
    assert "--home PATH" in done.stdout
