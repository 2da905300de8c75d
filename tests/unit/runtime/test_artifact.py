"""The digest of an artifact."""

import subprocess
from pathlib import Path

import pytest

from model_runtime.artifact import digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "model.py").write_text("x = 1\n")
    (folder / "a").write_bytes(b"\0weights")
    (folder / "empty").touch()
    return folder


def test_it_is_what_sha256sum_says(folder: Path) -> None:
    command = r"find . -type f -printf '%P\n' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    said = subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True
    )
    assert digest(folder) == said.stdout.split()[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "code" / "model.py").write_text("x = 2\n"),
        lambda folder: (folder / "code" / "model.py").rename(folder / "model.py"),
        lambda folder: (folder / "empty").unlink(),
        lambda folder: (folder / "code" / "more.pyc").touch(),
    ],
    ids=["contents", "place", "missing", "added"],
)
def test_every_change_shows(folder: Path, change: object) -> None:
    before = digest(folder)
    assert callable(change)
    change(folder)
    assert digest(folder) != before
