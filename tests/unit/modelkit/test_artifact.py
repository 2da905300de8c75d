"""An artifact: its digest, and how it is read wherever it is."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelkit import loading
from modelkit.artifact import digest, write_artifact
from tests.parts.old_artifact import as_before
from tests.unit.modelkit.counter import Counter


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


READ_IT = """
import runpy, sys
from pathlib import Path
model = runpy.run_path(sys.argv[1])["load_model"](Path(sys.argv[2]))
print(type(model).__module__, model.predict(["banana"]).value.tolist())
print(*sorted(name for name in sys.modules if name in ("modelkit", "model_runtime")))
"""


@pytest.mark.parametrize(
    ("change", "package"),
    [(lambda artifact: None, "modelkit"), (as_before, "model_runtime")],
    ids=["today", "as before"],
)
def test_it_is_read_with_its_own_code_where_the_project_is_not(
    tmp_path: Path, change: Callable[[Path], None], package: str
) -> None:
    artifact = tmp_path / "artifact"
    write_artifact(Counter(), artifact)
    change(artifact)
    command = [sys.executable, "-P", "-c", READ_IT, loading.__file__, str(artifact)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines() == ["tests.unit.modelkit.counter [3.0]", package]


def test_reading_an_artifact_needs_the_standard_library_only() -> None:
    source = Path(loading.__file__).read_text()
    lines = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    imported = {line.split()[1].partition(".")[0] for line in lines}
    assert imported <= sys.stdlib_module_names
