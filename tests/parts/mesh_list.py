"""A mesh of the tests' own: what they render does not hang on this checkout's mesh.yaml."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from modelkit.values import ModelEntry
from pmesh.mesh_file import read_mesh
from pmesh.render.objects import HEADER
from pmesh.render.rendering import render, write
from tests.parts.istio_policies import Object, read_objects

ROOT = Path(__file__).parents[2]
MESH_FILE = Path(__file__).with_name("mesh.yaml")
MESH = read_mesh(MESH_FILE)
MODELS = [
    ModelEntry(id="genre", description="", labels=["news", "review"], is_trained_here=True),
    ModelEntry(id="sentiment", description="", labels=["bad", "good"], is_trained_here=True),
]
ACCESS = MESH.access(MODELS)


def write_list(file: Path, changes: Mapping[str, Any]) -> None:
    """That mesh.yaml, but for these keys, whose sections are divided by slashes; None: without."""
    said = yaml.safe_load(MESH_FILE.read_text())
    for key, value in changes.items():
        *sections, last = key.split("/")
        inner = said
        for name in sections:
            inner = inner[name]
        inner[last] = value
        if value is None:
            del inner[last]
    file.write_text(yaml.safe_dump(said, sort_keys=False))


def checkout(folder: Path, changes: Mapping[str, Any] | None = None) -> Path:
    """The folder, with all that is rendered from or stands beside it, and nothing rendered."""
    for file in (ROOT / "istio").rglob("*.*"):
        if not file.read_text().startswith(HEADER):
            to = folder / file.relative_to(ROOT)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, to)
    write_list(folder / "mesh.yaml", changes or {})
    return folder


def mesh_objects(
    changes: Mapping[str, Any] | None = None, models: Sequence[ModelEntry] = MODELS
) -> list[Object]:
    """All that istio/ has for that list."""
    with TemporaryDirectory() as folder:
        root = checkout(Path(folder), changes)
        write(root, render(root, models))
        return read_objects(root / "istio")
