"""Versions that were laid before get today's entry, while they serve."""

import shutil
from pathlib import Path

import pytest

from modelkit.artifact import digest
from rollout.tidy import agree
from tests.integration.rollout.tiny.model import Model
from tests.integration.rollout.workshop import NAME, TEXTS, Workshop
from tests.parts.old_artifact import as_before
from triton_repo import entry

OLD_CONFIG = """\
name: "genre"
backend: "python"
max_batch_size: 256
input [ { name: "text" data_type: TYPE_STRING dims: [ 1 ] } ]
output [
  { name: "scores" data_type: TYPE_FP32 dims: [ 3 ] },
  { name: "features" data_type: TYPE_FP32 dims: [ -1 ] }
]
version_policy { all { } }
dynamic_batching { }
instance_group [ { kind: KIND_CPU count: 1 } ]
parameters { key: "labels" value { string_value: "[]" } }
"""


def lay_as_before(workshop: Workshop, version: str) -> Path:
    """Make a version that serves one that was trained and laid before, by name and contents."""
    model = workshop.serving.repository / NAME
    link = model / version
    artifact = model / ".content" / "an-artifact"
    shutil.copytree(link, artifact)
    (artifact / "loading.py").unlink()
    as_before(artifact)
    today = artifact / "model.py"
    load = 'runpy.run_path(str(directory / "loading.py"))["load_model"]'
    assert load in today.read_text()
    today.write_text(today.read_text().replace(load, "_load") + LOAD_AS_BEFORE)
    content = artifact.rename(model / ".content" / digest(artifact))
    link.unlink()
    link.symlink_to(Path(".content", content.name))
    (model / "config.pbtxt").write_text(OLD_CONFIG)
    workshop.triton.load(NAME)
    workshop.connection.execute("UPDATE versions SET sha256 = %s", (content.name,))
    return content


LOAD_AS_BEFORE = """

def _load(directory, device):
    import importlib
    sys.path.insert(0, str(directory / "code"))
    module, _, name = json.loads((directory / "model.json").read_text())["class"].partition(":")
    return getattr(importlib.import_module(module), name).load(directory, device=device)
"""


def declared(workshop: Workshop, version: str) -> set[str]:
    return {output.name for output in workshop.triton.declared(NAME, version).outputs}


@pytest.fixture
def version(workshop: Workshop) -> str:
    version = workshop.register(Model(version=1))
    workshop.release(version)
    return version


def test_a_version_of_before_goes_on_serving_with_todays_entry(
    workshop: Workshop, version: str
) -> None:
    old = lay_as_before(workshop, version)
    assert declared(workshop, version) == {"scores", "features"}
    agree(workshop.store, workshop.serving, NAME)
    assert declared(workshop, version) == {"scores", "features", "error"}
    content = workshop.serving.artifact(NAME, version).resolve()
    assert content.name == f"{old.name}-{entry.digest()}"
    assert not old.exists()
    assert workshop.ask(version, TEXTS[:2])["features"][:, 0].tolist() == [1, 1]
    inode = content.stat().st_ino
    agree(workshop.store, workshop.serving, NAME)  # nothing is to be done any more
    assert workshop.serving.artifact(NAME, version).resolve().stat().st_ino == inode
    workshop.release(workshop.register(Model(version=2)))  # beside which another one is laid
    assert len(workshop.loaded()) == 2
