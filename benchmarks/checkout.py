"""Scratch checkouts: of a revision, or of the working tree as it is, each installed by itself."""

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MANY = tuple(f"many{n}" for n in range(10))
"""Small models, as `pmesh models new` writes them, that a checkout may get in addition."""

_TARGETS = (".venv/.installed", "build/gen/predict/v1/descriptors.binpb")
_NOT_THEIRS = ("MAKE", "MFLAGS", "PYTHON", "VIRTUAL_ENV", "PMESH_")
"""Prefixes of variables that would lead a checkout's programs to this one."""


class CheckoutFailedError(Exception):
    """A checkout could not be made; says what to do."""


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A folder of its own with all that the product needs."""

    name: str
    """For people: the revision, or that it is the working tree."""
    path: Path

    @property
    def python(self) -> Path:
        """Its own interpreter."""
        return self.path / ".venv/bin/python"

    def command(self, *arguments: str) -> tuple[str, ...]:
        """Its own `pmesh`, to be run in its folder with `environment()`."""
        return (str(self.path / ".venv/bin/pmesh"), *arguments)

    def install(self, *, models: Sequence[str] = ()) -> None:
        """Make its .venv and its generated code, and folders of further models.

        Raises CheckoutFailedError.
        """
        uv = ROOT / "build/uv"
        if uv.exists():  # else it fetches one
            (self.path / "build").mkdir(exist_ok=True)
            (self.path / "build/uv").symlink_to(uv)
        _run(self.path, "make", *_TARGETS)
        for model in models:
            _run(self.path, *self.command("models", "new", model))


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """For checkouts and what runs from them; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pmesh-bench-") as folder:
        yield Path(folder)


def of_revision(revision: str, path: Path) -> Checkout:
    """What is committed there. Raises CheckoutFailedError."""
    found = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode:
        raise CheckoutFailedError(
            f"{revision} is no commit of this repository; `git log --oneline` shows what is"
        )
    commit = found.stdout.decode().strip()
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit).stdout)) as archive:
        archive.extractall(path, filter="tar")
    short = commit[:7]
    name = short if commit.startswith(revision) else f"{revision} ({short})"
    return Checkout(name=name, path=path)


def of_working_tree(path: Path) -> Checkout:
    """All that git has, or would take, as it lies there now. Raises CheckoutFailedError."""
    found = _git("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    if found.returncode:
        raise CheckoutFailedError(
            f"{ROOT} is no git repository, which says what belongs to the project: clone it"
        )
    for name in filter(None, found.stdout.decode().split("\0")):
        source, target = ROOT / name, path / name
        if source.exists():  # else it was deleted, and git has not been told
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return Checkout(name="the working tree", path=path)


def environment() -> dict[str, str]:
    """For programs of another checkout."""
    return {k: v for k, v in os.environ.items() if not k.startswith(_NOT_THEIRS)}


def _git(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, check=False)


def _run(path: Path, *command: str) -> None:
    done = subprocess.run(
        command, cwd=path, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-1000:]
        raise CheckoutFailedError(f"{' '.join(command)} failed in {path}:\n{said}")
