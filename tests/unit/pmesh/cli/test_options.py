import shlex
from pathlib import Path

import pytest

from pmesh.cli.options import HOME, for_home


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pmesh up", "pmesh up --home /x"),
        ("pmesh status, or pmesh up", "pmesh status --home /x, or pmesh up --home /x"),
        ("pmesh annotate up", "pmesh annotate up --home /x"),
        ("pmesh models list", "pmesh models list --home /x"),
        ("pmesh release models@3", "pmesh release --home /x models@3"),
        ("space, or pmesh up --home DIRECTORY", "space, or pmesh up --home DIRECTORY"),
        ("HOST:PORT", "HOST:PORT"),
        ("", ""),
    ],
)
def test_each_command_names_the_directory(text: str, said: str) -> None:
    assert for_home(text, Path("/x")) == said


def test_a_directory_that_is_taken_without_being_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PMESH_HOME", raising=False)
    assert for_home("pmesh up", HOME) == "pmesh up"
    monkeypatch.setenv("PMESH_HOME", "/x")
    assert for_home("pmesh up", Path("/x")) == "pmesh up"
    assert for_home("pmesh up", HOME) == "pmesh up --home .pmesh"


def test_a_directory_whose_name_a_shell_or_a_pattern_would_read() -> None:
    home = Path(r"/a b/\1")
    assert shlex.split(for_home("pmesh up", home)) == ["pmesh", "up", "--home", str(home)]
