"""Scratch checkouts of a repository."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import checkout
from benchmarks.checkout import CheckoutFailedError, of_revision, of_working_tree


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One commit, and things that came since."""
    root = tmp_path / "repository"
    (root / "gateway").mkdir(parents=True)
    (root / "gateway/app.py").write_text("old\n")
    (root / "gone.py").write_text("old\n")
    (root / ".gitignore").write_text("build/\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    git(root, *author, "commit", "--quiet", "--message", "one")
    (root / "gateway/app.py").write_text("new\n")
    (root / "gateway/more.py").write_text("new\n")
    (root / "gone.py").unlink()
    (root / "build").mkdir()
    (root / "build/made.py").write_text("made\n")
    monkeypatch.setattr(checkout, "ROOT", root)
    return root


def git(root: Path, *arguments: str) -> None:
    subprocess.run(("git", *arguments), cwd=root, check=True)


def files(path: Path) -> dict[str, str]:
    return {
        str(file.relative_to(path)): file.read_text()
        for file in path.rglob("*")
        if file.is_file() and file.name != ".gitignore"
    }


def test_a_revision_is_what_was_committed(repository: Path, tmp_path: Path) -> None:
    found = of_revision("HEAD", tmp_path / "old")

    assert files(found.path) == {"gateway/app.py": "old\n", "gone.py": "old\n"}
    assert found.name.startswith("HEAD (")


def test_the_working_tree_is_what_git_would_take_of_it_now(
    repository: Path, tmp_path: Path
) -> None:
    found = of_working_tree(tmp_path / "new")

    assert files(found.path) == {"gateway/app.py": "new\n", "gateway/more.py": "new\n"}


def test_what_is_no_revision_is_refused_with_a_remedy(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckoutFailedError, match="git log"):
        of_revision("nothing", tmp_path / "old")


def test_a_checkout_gets_none_of_what_leads_to_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "here")
    monkeypatch.setenv("PMESH_HOME", "here")
    monkeypatch.setenv("MAKEFLAGS", "-j")
    monkeypatch.setenv("HOME", "there")

    environment = checkout.environment()

    assert "there" in environment.values()
    assert "here" not in environment.values()
    assert "MAKEFLAGS" not in environment
