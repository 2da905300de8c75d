"""Lays model versions into the repository, each whole or not at all, and takes them out again.

A version is a link to a folder that is named by what it holds: the same artifact lies there once,
however many versions are made of it, and a version that is there is known to be whole.
"""

import os
import shutil
from pathlib import Path

from triton_repo import python_model
from triton_repo.config import Manifest, render

ENTRY_POINT = "model.py"  # the name that Triton's Python backend looks for
CONTENT = ".content"  # Triton passes over what is no number


class VersionExists(FileExistsError):
    """The repository holds this version with other contents; versions never change."""


def write_version(
    repository: Path, name: str, version: str, artifact: Path, *, sha256: str, device: str = "cpu"
) -> Path:
    """Lay a trained model to <repository>/<name>/<version>; it may lie there already.

    artifact: a folder as model_runtime.artifact describes it; sha256: its digest.
    device: "cpu" or "gpu", where Triton runs the model. A crash leaves at most what `sweep` takes
    away. Raises VersionExists, OSError.
    """
    model = repository / name
    content = model / CONTENT / sha256
    link, target = model / version, Path(CONTENT, sha256)
    if link.exists() and link.resolve() != content.resolve():
        raise VersionExists(f"{name} has a version {version} already")
    if not content.exists():
        _write_content(artifact, content)
    _write_config(model, render(name, Manifest.read(content / "model.json"), device=device))
    if not link.exists():
        staging = model / f".{version}.{os.getpid()}"
        staging.unlink(missing_ok=True)
        staging.symlink_to(target)
        staging.rename(link)
        _sync(model)
    return link


def remove_version(repository: Path, name: str, version: str) -> None:
    """Take a version out; Triton serves it until its next load. Nothing if it is not there."""
    link = repository / name / version
    if link.is_symlink():
        link.unlink()
    elif link.is_dir():  # as versions were laid before they were links
        shutil.rmtree(link)
    else:
        return
    _sync(link.parent)


def versions(repository: Path, name: str) -> set[str]:
    """The versions of a model that the repository holds."""
    model = repository / name
    return (
        {path.name for path in model.iterdir() if path.name.isdecimal()}
        if model.exists()
        else set()
    )


def sweep(repository: Path, name: str) -> None:
    """Remove the contents that no version is made of, and what crashes have left."""
    model = repository / name
    if model.exists() and not versions(repository, name):
        shutil.rmtree(model)
    used = {(model / version).resolve() for version in versions(repository, name)}
    leftovers = [path for path in model.glob(".*") if path.name != CONTENT]
    unused = [path for path in (model / CONTENT).glob("*") if path.resolve() not in used]
    for path in [*leftovers, *unused]:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _write_content(artifact: Path, content: Path) -> None:
    content.parent.mkdir(parents=True, exist_ok=True)
    staging = content.with_name(f".{content.name}.{os.getpid()}")
    try:
        shutil.copytree(artifact, staging)
        shutil.copyfile(python_model.__file__, staging / ENTRY_POINT)
        _sync_tree(staging)
        staging.rename(content)
        _sync(content.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_config(model: Path, text: str) -> None:
    """Only where it changes."""
    config = model / "config.pbtxt"
    if config.exists() and config.read_text() == text:
        return
    staging = model / f".config.{os.getpid()}"
    staging.write_text(text)
    _sync(staging)
    staging.rename(config)
    _sync(model)


def _sync_tree(directory: Path) -> None:
    for path in [*directory.rglob("*"), directory]:
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
