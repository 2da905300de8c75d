"""Lays model versions into the repository, each whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triton_repo import python_model
from triton_repo.config import Manifest, render

ENTRY_POINT = "model.py"  # the name that Triton's Python backend looks for


class VersionExists(FileExistsError):
    """The repository already holds this version; versions never change."""


def write_version(repository: Path, name: str, version: str, artifact: Path) -> Path:
    """Copy a trained model (see model_runtime.artifact) to <repository>/<name>/<version>.

    A crash leaves at most a temporary folder whose name Triton passes over. Raises VersionExists.
    """
    target = repository / name / version
    if target.exists():
        raise VersionExists(f"{name} has a version {version} already")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _staging(target) as staging:
        shutil.copytree(artifact, staging)
        shutil.copyfile(python_model.__file__, staging / ENTRY_POINT)
        _sync_tree(staging)
        staging.rename(target)
    _write_config(target.parent, render(name, Manifest.read(target / "model.json")))
    return target


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """A path on the same file system, so that it can be renamed; gone afterwards."""
    staging = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_config(directory: Path, text: str) -> None:
    staging = directory / f".config.{os.getpid()}"
    staging.write_text(text)
    _sync(staging)
    staging.rename(directory / "config.pbtxt")
    _sync(directory)


def _sync_tree(directory: Path) -> None:
    for path in [*directory.rglob("*"), directory]:
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
