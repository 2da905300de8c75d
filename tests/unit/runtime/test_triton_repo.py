"""The Triton repository: what is written into it."""

import json
import os
from pathlib import Path

import pytest

from triton_repo.config import Manifest, render
from triton_repo.writer import VersionExists, remove_version, sweep, versions, write_version


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    directory = tmp_path / "artifact"
    (directory / "code").mkdir(parents=True)
    (directory / "code" / "some.py").write_text("")
    manifest = {"labels": ["a", "b"], "outputs": [{"name": "scores"}, {"name": "features"}]}
    (directory / "model.json").write_text(json.dumps(manifest))
    return directory


def test_only_a_model_with_a_value_has_that_output() -> None:
    assert '"value"' in render("m", Manifest(labels=["a"], outputs=["scores", "features", "value"]))
    assert '"value"' not in render("m", Manifest(labels=["a"], outputs=["scores", "features"]))


def test_labels_are_quoted() -> None:
    text = render("m", Manifest(labels=['say "no"', "a\\b"], outputs=["scores"]))
    (line,) = [line for line in text.splitlines() if '"labels"' in line]
    quoted = line.partition("string_value: ")[2].removesuffix(" } }")
    assert json.loads(json.loads(quoted)) == ['say "no"', "a\\b"]


def test_a_version_is_laid_whole(tmp_path: Path, artifact: Path) -> None:
    target = write_version(tmp_path, "m", "3", artifact, sha256="aa")
    assert target == tmp_path / "m" / "3"
    assert (target / "code" / "some.py").exists()
    assert "class TritonPythonModel" in (target / "model.py").read_text()
    assert sorted(p.name for p in target.parent.iterdir()) == [".content", "3", "config.pbtxt"]
    assert versions(tmp_path, "m") == {"3"}


def test_versions_lie_side_by_side_and_never_change(tmp_path: Path, artifact: Path) -> None:
    write_version(tmp_path, "m", "1", artifact, sha256="aa")
    write_version(tmp_path, "m", "2", artifact, sha256="aa")
    (artifact / "model.json").write_text("{}")
    write_version(tmp_path, "m", "1", artifact, sha256="aa")  # it lies there already
    with pytest.raises(VersionExists):
        write_version(tmp_path, "m", "1", artifact, sha256="bb")
    assert (tmp_path / "m" / "1" / "model.json").read_text() != "{}"
    assert [p.name for p in (tmp_path / "m" / ".content").iterdir()] == ["aa"]


def test_the_configuration_is_written_only_when_it_changes(tmp_path: Path, artifact: Path) -> None:
    config = write_version(tmp_path, "m", "1", artifact, sha256="aa").parent / "config.pbtxt"
    before = config.stat().st_ino
    write_version(tmp_path, "m", "2", artifact, sha256="aa")
    assert config.stat().st_ino == before
    write_version(tmp_path, "m", "3", artifact, sha256="aa", device="gpu")
    assert "KIND_GPU" in config.read_text()


def test_what_no_version_is_made_of_is_swept_away(tmp_path: Path, artifact: Path) -> None:
    for version, sha256 in (("1", "aa"), ("2", "bb"), ("3", "bb")):
        write_version(tmp_path, "m", version, artifact, sha256=sha256)
    (tmp_path / "m" / ".content" / ".cc.99").mkdir()  # of a writer that was killed
    (tmp_path / "m" / ".4.99").symlink_to(".content/bb")
    remove_version(tmp_path, "m", "1")
    remove_version(tmp_path, "m", "2")
    sweep(tmp_path, "m")
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [".content", "3", "config.pbtxt"]
    assert [p.name for p in (tmp_path / "m" / ".content").iterdir()] == ["bb"]
    remove_version(tmp_path, "m", "3")
    sweep(tmp_path, "m")
    assert not (tmp_path / "m").exists()
    sweep(tmp_path, "m")


def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_version(tmp_path, "m", "1", artifact, sha256="aa")
    assert versions(tmp_path, "m") == set()
    assert list((tmp_path / "m" / ".content").iterdir()) == []
