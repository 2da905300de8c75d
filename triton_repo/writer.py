"""Lays model versions into the repository, each whole or not at all, and takes them out again.

A version is a link to a folder that is named by what it holds, `<artifact>-<entry>`: the same
artifact lies there once, however many versions are made of it, and a version that is there is
known to be whole.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from triton_repo import entry
from triton_repo.config import Manifest, render

CONTENT = ".content"  # Triton passes over what is no number


class VersionExists(FileExistsError):
    """The repository holds this version with other contents; versions never change."""


def write_version(
    repository: Path, name: str, version: str, artifact: Path, *, sha256: str, device: str = "cpu"
) -> Path:
    """Lay a trained model to <repository>/<name>/<version>; it may lie there already.

    artifact: a folder as modelkit.artifact describes it; sha256: its digest.
    device: one of config.DEVICES, where Triton runs the model. A crash leaves at most what `sweep`
    takes away. Raises VersionExists, OSError.
    """
    model = repository / name
    link = model / version
    if link.exists() and _artifact_of(link) != sha256:
        raise VersionExists(f"{name} has a version {version} already")
    content = _lay(model, artifact, sha256)
    _write_config(model, render(name, Manifest.read(content / "model.json"), device=device))
    _point(link, content)
    return link


def renew(repository: Path, name: str, *, device: str) -> bool:
    """Give the versions of before today's entry; whether Triton has to load the model again.

    It has to also where that was cut short before: contents that `sweep` would take away tell of
    it. Raises OSError.
    """
    model = repository / name
    links = [model / version for version in versions(repository, name)]
    links = [link for link in links if link.exists()]  # without those whose contents are lost
    for link in links:
        sha256 = _artifact_of(link)
        if sha256 and link.resolve().name != _content_name(sha256):
            _point(link, _lay(model, link.resolve(), sha256))
    changed = False
    if links:
        newest = max(links, key=lambda link: int(link.name))
        text = render(name, Manifest.read(newest / "model.json"), device=device)
        changed = _write_config(model, text)
    return changed or any(True for _ in _unused(model))


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
    """Remove the contents that no version is made of, and what crashes have left.

    The model's own folder stays: it may be all that a Triton has mounted, which would not see
    another one of its name.
    """
    model = repository / name
    leftovers = [path for path in model.glob(".*") if path.name != CONTENT]
    if not versions(repository, name):
        leftovers += model.glob("config.pbtxt")
    for path in [*leftovers, *(model / CONTENT).glob(".*"), *_unused(model)]:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _unused(model: Path) -> Iterator[Path]:
    """Whole contents that no version is made of."""
    used = {link.resolve() for link in model.glob("[0-9]*")}
    contents = [path for path in (model / CONTENT).glob("*") if not path.name.startswith(".")]
    return (path for path in contents if path.resolve() not in used)


def _content_name(sha256: str) -> str:
    return f"{sha256}-{entry.digest()}"


def _artifact_of(link: Path) -> str:
    """The digest of what a version is made of; "" for a version that is no link."""
    return link.readlink().name.partition("-")[0] if link.is_symlink() else ""


def _lay(model: Path, artifact: Path, sha256: str) -> Path:
    """The contents of an artifact with today's entry, which may lie there already."""
    content = model / CONTENT / _content_name(sha256)
    if content.exists():
        return content
    _write_content(artifact, content)
    return content


def _write_content(artifact: Path, content: Path) -> None:
    content.parent.mkdir(parents=True, exist_ok=True)
    staging = content.with_name(f".{content.name}.{os.getpid()}")
    try:
        shutil.copytree(artifact, staging)
        for name, file in entry.FILES.items():
            shutil.copyfile(file, staging / name)
        _sync_tree(staging)
        staging.rename(content)
        _sync(content.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _point(link: Path, content: Path) -> None:
    """Make the version one of these contents, in one step."""
    target = Path(CONTENT, content.name)
    if link.is_symlink() and link.readlink() == target:
        return
    staging = link.with_name(f".{link.name}.{os.getpid()}")
    staging.unlink(missing_ok=True)
    staging.symlink_to(target)
    staging.rename(link)
    _sync(link.parent)


def _write_config(model: Path, text: str) -> bool:
    """Whether it had to be written."""
    config = model / "config.pbtxt"
    if config.exists() and config.read_text() == text:
        return False
    staging = model / f".config.{os.getpid()}"
    staging.write_text(text)
    _sync(staging)
    staging.rename(config)
    _sync(model)
    return True


def _sync_tree(directory: Path) -> None:
    for path in [*directory.rglob("*"), directory]:
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
