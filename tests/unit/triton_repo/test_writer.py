"""The Triton repository: what is written into it."""

import json
import os
import shutil
from pathlib import Path

import pytest

from triton_repo import entry
from triton_repo.config import Manifest, render
from triton_repo.writer import (
    VersionExists,
    remove_version,
    renew,
    sweep,
    versions,
    write_version,
)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    directory = tmp_path / "artifact"
    (directory / "code").mkdir(parents=True)
    (directory / "code" / "some.py").write_text("")
    manifest = {"labels": ["a", "b"], "outputs": [{"name": "scores"}, {"name": "features"}]}
    (directory / "model.json").write_text(json.dumps(manifest))
    return directory


def contents(repository: Path) -> list[str]:
    return sorted(path.name for path in (repository / "m" / ".content").iterdir())


@pytest.fixture
def other_entry(monkeypatch: pytest.MonkeyPatch) -> str:
    """Its digest, once the entry is another one."""
    monkeypatch.setattr(entry, "digest", lambda: "0123456789ab")
    return "0123456789ab"


def lay_as_before(repository: Path, artifact: Path, version: str, sha256: str) -> None:
    """As versions were laid when contents were named by their artifact alone."""
    content = repository / "m" / ".content" / sha256
    shutil.copytree(artifact, content)
    (content / "model.py").write_text("class OldEntry: ...")
    (repository / "m" / version).symlink_to(f".content/{sha256}")


def test_only_a_model_with_a_value_has_that_output() -> None:
    assert '"value"' in render("m", Manifest(labels=["a"], outputs=["scores", "features", "value"]))
    assert '"value"' not in render("m", Manifest(labels=["a"], outputs=["scores", "features"]))


def test_versions_may_differ_in_their_labels() -> None:
    outputs = ["scores", "features"]
    assert render("m", Manifest(["a", "b"], outputs)) == render("m", Manifest(["c"], outputs))


def test_a_version_is_laid_whole(tmp_path: Path, artifact: Path) -> None:
    target = write_version(tmp_path, "m", "3", artifact, sha256="aa")
    assert target == tmp_path / "m" / "3"
    assert (target / "code" / "some.py").exists()
    assert "class TritonPythonModel" in (target / "model.py").read_text()
    assert "def load_model" in (target / "loading.py").read_text()
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
    assert contents(tmp_path) == [f"aa-{entry.digest()}"]


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
    assert contents(tmp_path) == [f"bb-{entry.digest()}"]
    remove_version(tmp_path, "m", "3")
    sweep(tmp_path, "m")
    assert [p.name for p in (tmp_path / "m").iterdir()] == [".content"]
    assert contents(tmp_path) == []
    sweep(tmp_path, "m")
    sweep(tmp_path, "nosuch")
    assert [p.name for p in tmp_path.iterdir() if p.name != "artifact"] == ["m"]


def test_the_folder_of_a_model_stays_the_same_one(tmp_path: Path, artifact: Path) -> None:
    (tmp_path / "m").mkdir()
    before = (tmp_path / "m").stat().st_ino
    sweep(tmp_path, "m")
    write_version(tmp_path, "m", "1", artifact, sha256="aa")
    remove_version(tmp_path, "m", "1")
    sweep(tmp_path, "m")
    assert (tmp_path / "m").stat().st_ino == before


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


def test_versions_of_before_get_todays_entry(tmp_path: Path, artifact: Path) -> None:
    lay_as_before(tmp_path, artifact, "1", "aa")
    lay_as_before(tmp_path, artifact, "2", "bb")
    assert renew(tmp_path, "m", device="cpu")
    for version in ("1", "2"):
        assert "class TritonPythonModel" in (tmp_path / "m" / version / "model.py").read_text()
        assert (tmp_path / "m" / version / "code" / "some.py").exists()
    assert '"error"' in (tmp_path / "m" / "config.pbtxt").read_text()
    # Until Triton has loaded them, a crash must not let that be forgotten.
    assert renew(tmp_path, "m", device="cpu")
    sweep(tmp_path, "m")
    assert contents(tmp_path) == [f"aa-{entry.digest()}", f"bb-{entry.digest()}"]
    assert not renew(tmp_path, "m", device="cpu")


def test_contents_are_laid_again_when_the_entry_changes(
    tmp_path: Path, artifact: Path, request: pytest.FixtureRequest
) -> None:
    write_version(tmp_path, "m", "1", artifact, sha256="aa")
    assert not renew(tmp_path, "m", device="cpu")
    digest = request.getfixturevalue("other_entry")
    assert renew(tmp_path, "m", device="cpu")
    assert (tmp_path / "m" / "1").resolve().name == f"aa-{digest}"
    write_version(tmp_path, "m", "1", artifact, sha256="aa")  # it is still the same version
    with pytest.raises(VersionExists):
        write_version(tmp_path, "m", "1", artifact, sha256="bb")


def test_a_release_gives_todays_entry_to_a_version_of_before(
    tmp_path: Path, artifact: Path
) -> None:
    lay_as_before(tmp_path, artifact, "1", "aa")
    write_version(tmp_path, "m", "1", artifact, sha256="aa")
    assert (tmp_path / "m" / "1").resolve().name == f"aa-{entry.digest()}"


def test_a_version_whose_contents_are_lost_does_not_stop_the_others(
    tmp_path: Path, artifact: Path
) -> None:
    lay_as_before(tmp_path, artifact, "1", "aa")
    lay_as_before(tmp_path, artifact, "2", "bb")
    shutil.rmtree(tmp_path / "m" / ".content" / "bb")
    assert renew(tmp_path, "m", device="cpu")
    assert (tmp_path / "m" / "1" / "model.py").exists()


def test_another_device_is_another_configuration(tmp_path: Path, artifact: Path) -> None:
    write_version(tmp_path, "m", "1", artifact, sha256="aa")
    assert renew(tmp_path, "m", device="gpu")
    assert not renew(tmp_path, "m", device="gpu")
    assert not renew(tmp_path, "nosuch", device="cpu")
