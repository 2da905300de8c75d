"""Whole lists: what is committed is made of this checkout's, and others are as good."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelkit.values import ForeignVersion, ModelEntry, read_models
from pmesh.mesh_file import read_mesh
from pmesh.render.rendering import render, stale, write
from tests.parts.access_cells import disagreements
from tests.parts.istio_gateway import by_istio
from tests.parts.istio_policies import read_objects
from tests.parts.mesh_list import MODELS, ROOT, checkout

GENRE, SENTIMENT = MODELS
FOREIGN = {"7": ForeignVersion(address="models.example.com:9000", labels=["bad", "good"])}
READS_THIS_CHECKOUTS = re.compile(
    r'read_models\(|mesh_file import .*\bMESH\b|(ROOT|\]) / "(mesh\.yaml"|istio"\))'
)
ABOUT_IT = {
    *("unit/pmesh/render/test_lists.py", "unit/modelkit/test_values.py"),
    *("integration/monitoring/test_prometheus_rules.py", "mesh/objects.py"),
    *("mesh/test_install_job.py", "parts/mesh_list.py"),
}
"""They hold whatever it says. All others render tests/parts/mesh.yaml, or models of their own."""
NO_OBJECTS = {"services.yaml", "mesh-config.yaml", "kustomization.yaml"}

each_list = pytest.mark.parametrize(
    ("changes", "models"),
    [
        pytest.param({}, MODELS, id="as it is"),
        pytest.param({"roles/app": {"predict": ["genre"]}}, MODELS, id="a role for one model"),
        pytest.param({"roles/app": None}, MODELS, id="a role less"),
        pytest.param({"limits/caller": 0, "limits/model": 0}, MODELS, id="no limits"),
        pytest.param(
            {"host": "mesh.acme.test", "label_host": "labels.acme.test"}, MODELS, id="other hosts"
        ),
        pytest.param({"tokens/issuer": "acme", "tokens/audience": "us"}, MODELS, id="an issuer"),
        pytest.param({"outside/alerts": []}, MODELS, id="nobody is told of alerts"),
        pytest.param({"outside/database": "db.acme.test:5433"}, MODELS, id="a database elsewhere"),
        pytest.param({}, [GENRE, replace(SENTIMENT, texts_per_second=7)], id="a model's own limit"),
        pytest.param({}, [GENRE, replace(SENTIMENT, foreign=FOREIGN)], id="a server of others"),
        pytest.param({}, [SENTIMENT], id="a model less"),
    ],
)


def test_what_is_committed_is_what_is_made() -> None:
    assert stale(ROOT, render(ROOT, read_models())) == [], "pmesh render"


def test_an_edit_of_this_checkouts_is_seen_only_by_what_is_about_it() -> None:
    tests = ROOT / "tests"
    found = [file for file in tests.rglob("*.py") if READS_THIS_CHECKOUTS.search(file.read_text())]
    assert {str(file.relative_to(tests)) for file in found} == ABOUT_IT


@each_list
def test_every_object_is_applied(
    tmp_path: Path, changes: Mapping[str, Any], models: Sequence[ModelEntry]
) -> None:
    """But for how the PostgreSQL of the cluster is reached, where it is elsewhere."""
    folder = checkout(tmp_path, changes) / "istio"
    write(tmp_path, render(tmp_path, models))
    applied = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    found = {str(file.relative_to(folder)) for file in folder.rglob("*.yaml")} - NO_OBJECTS
    if "outside/database" in changes:
        found -= {"postgres/connections.yaml"}
    assert sorted(applied) == sorted(found)


@each_list
def test_each_role_may_what_the_list_says(
    tmp_path: Path, changes: Mapping[str, Any], models: Sequence[ModelEntry]
) -> None:
    root = checkout(tmp_path, changes)
    write(root, render(root, models))
    access = read_mesh(root / "mesh.yaml").access(models)
    assert disagreements(access, by_istio(read_objects(root / "istio"), access)) == []
