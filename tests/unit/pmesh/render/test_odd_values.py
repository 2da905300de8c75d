"""What mesh.yaml and models say is refused, by its file, or fits the charts' schemas."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from modelkit.values import InvalidValues, read_values
from pmesh.mesh_file import InvalidMesh
from pmesh.render.ids import CHARTS as TAKEN_NAMES
from pmesh.render.rendering import render
from tests.parts.mesh_list import MESH_FILE
from tests.parts.values import merged

ROOT = Path(__file__).parents[4]
CHARTS = ROOT / "deploy" / "charts"
TAG = {"images": {"tag": "abc123"}}
ACCOUNT = {"aws": {"account": "123456789012"}}
"""What whoever installs says besides."""

MESH = {
    "label_host": (
        ["label.example.com", "l-1.example"],
        ["label", "L.example", "10.0.0.7", "predict.example.com"],
    ),
    "limits/caller": ([0, 1_000_000_000], [1_000_000_001, 1.5, "7"]),
    "outside/region": (
        ["us-gov-west-1", "cn-north-1"],
        ["eu-central-10", "eu", "EU-central-1", "us-isob-east-1", "eu-isoe-west-1"],
    ),
    "outside/bus_prefix": (["p", "Team_A-" + "p" * 24], ["", "p" * 32, "a.b", "a b", 7]),
    "outside/buckets/features": (["abc", "a" * 63], ["ab", "a" * 64, "a.b", "A-b", "a b"]),
    "outside/buckets/backups": (["b-1"], ["it's", "b/c"]),
    "outside/alerts": (
        [[], ["hooks.example.com", "a.example"]],
        [["*.example.com"], ["HOOKS.example.com"], ["hooks.example.com:8443"], ["10.0.0.7"]],
    ),
    "outside/database": (
        ["db.example.com:1", "db.example.com:65535"],
        [
            *(f"db.example.com:{port}" for port in ("0", "65536", "\u0665", "9" * 30)),
            "db:5432",
            "db.a.svc:1",
        ],
    ),
    "roles/app": ([{}, {"predict": []}], [{"predict": [7]}]),
}
"""By key of mesh.yaml: values that are taken, values that are refused."""
MODEL = {
    "id": (
        ["a", "m" * 43, "triton", "sentiment-2"],
        ["m" * 44, "m" * 57, "m" * 63, "m" * 64, "mood-", *TAKEN_NAMES],
    ),
    "texts_per_second": ([0, 1_000_000_000], [1_000_000_001, 10**30, -1]),
    "versions": (
        [{"7": {"address": f"models.example.com:{port}"}} for port in (1, 65535)],
        [
            {"7": {"address": address}}
            for address in ("a.example:0", "a.example:65536", "a.example:\u0665", "unix:/run/oip")
        ],
    ),
    "serving/device": (["gpu"], ["tpu", "auto", 1]),
    "serving/canary": ([0, 99], [100, -1, 1.5]),
    "serving/tritons": ([{"least": 1000}], [{"least": 0}, {"most": 1001}, {"least": 5, "most": 4}]),
    "serving/workers": ([{"least": 0, "most": 1000}], [{"most": 0}, {"least": 1001}]),
    "serving/versions": (
        [{"1": {}}, {"9" * 18: {"device": "gpu"}}, {12: {}}],
        [{"0": {}}, {"012": {}}, {"9" * 19: {}}, {"1": {"device": "auto"}}],
    ),
}
"""The same by key of a model's values.yaml."""
CASES = [
    pytest.param(file, key, value, is_taken, id=f"{key}-{str(value)[:40]}")
    for file, table in (("mesh.yaml", MESH), ("values.yaml", MODEL))
    for key, kinds in table.items()
    for values, is_taken in zip(kinds, (True, False), strict=True)
    for value in values
]


@pytest.mark.parametrize(("file", "key", "value", "is_taken"), CASES)
def test_what_is_not_refused_fits_the_charts(
    tmp_path: Path, file: str, key: str, value: Any, is_taken: bool
) -> None:
    mesh = yaml.safe_load(MESH_FILE.read_text())
    model: dict[str, Any] = {"id": "mood", "description": "A mood.", "labels": ["good", "bad"]}
    _change(mesh if file == "mesh.yaml" else model, key, value)
    if not is_taken:
        with pytest.raises((InvalidMesh, InvalidValues), match=file):
            _rendered(tmp_path, mesh, model)
        return
    for path, text in _rendered(tmp_path, mesh, model).items():
        if path.is_relative_to("deploy/charts"):
            chart = CHARTS / path.relative_to("deploy/charts").parts[0]
            assert _refusals(chart, yaml.safe_load(text)) == [], path


def test_the_names_that_charts_have_are_known() -> None:
    assert {file.parent.name for file in CHARTS.glob("*/Chart.yaml")} == set(TAKEN_NAMES)


def _change(said: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split("/")
    for name in sections:
        said = said.setdefault(name, {})
    said[last] = value


def _rendered(root: Path, mesh: Any, model: Mapping[str, Any]) -> Mapping[Path, str]:
    (root / "istio").mkdir()
    for name in ("istio/services.yaml", "istio/README.md"):
        shutil.copy(ROOT / name, root / name)
    (root / "mesh.yaml").write_text(yaml.safe_dump(mesh))
    folder = root / "models" / str(model["id"])
    folder.mkdir(parents=True)
    (folder / "model.py").touch()
    (folder / "values.yaml").write_text(yaml.safe_dump(model))
    return render(root, [read_values(folder)])


def _refusals(chart: Path, rendered: Any) -> list[str]:
    """What its schema says of these values, as Helm asks it."""
    schema = json.loads((chart / "values.schema.json").read_text())
    values = yaml.safe_load((chart / "values.yaml").read_text())
    has_account = "account" in values.get("aws", {})
    for said in (rendered, TAG, ACCOUNT if has_account else {}):
        values = merged(values, said)
    return [error.message for error in Draft7Validator(schema).iter_errors(values)]
