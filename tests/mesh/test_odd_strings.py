"""Strings that YAML may take for something else are in objects as they were said."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from pmesh.render.objects import as_yaml
from tests.mesh.charts import CHARTS, ROOT, rendered, template
from tests.parts.values import merged

MOST = {"predict-mesh": "all", "model": "all", "postgres": "restore", "mlflow": "outside"}
"""By chart: the values of ci with which it makes most; else all."""
ODD = (
    *("2026", "1e3", "2026-11-27", "on", "y", "null", "true", "~", "-"),
    *("a: b", "a:", "a #b", "*a", "a, b", "a}", "'a'", '"a"', "a\\n"),
)
PLAIN = "plain"
FORMS = ("{}", "http://{}", "https://{}", "s3://{}", "{}:8001")
"""What a string may have to look like."""


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("odd", ODD)
def test_a_string_stays_what_it_is(tmp_path: Path, chart: str, odd: str) -> None:
    schema = json.loads((ROOT / "deploy/charts" / chart / "values.schema.json").read_text())
    plain, said = (_filled(chart, schema, text, by=odd) for text in (PLAIN, odd))
    assert said != plain
    expected, found = (_rendered(tmp_path, chart, values) for values in (plain, said))
    _compare(expected, found, odd, "")


def test_what_is_rendered_of_the_list_stays_what_it_is(tmp_path: Path) -> None:
    texts = (*ODD, ".5", "1.", "0o17", "1_0", "N")
    said = {f"a{number}": text for number, text in enumerate(texts)}
    file = tmp_path / "values.yaml"
    file.write_text(as_yaml([{"serviceAccountAnnotations": said}], comment="Odd ones."))
    found = rendered("mlflow", ROOT / "deploy/charts/mlflow/ci/least-values.yaml", "-f", str(file))
    assert found.named("ServiceAccount", "mlflow")["metadata"]["annotations"] == said


def _filled(chart: str, schema: Mapping[str, Any], text: str, by: str) -> Any:
    """The values of a chart, with a text in each that takes it, and takes another too."""
    folder = ROOT / "deploy/charts" / chart
    most = folder / "ci" / f"{MOST.get(chart, 'all')}-values.yaml"
    values = merged(*(yaml.safe_load(f.read_text()) for f in (folder / "values.yaml", most)))
    return _with(schema, schema, values, text, by)


def _with(root: Mapping[str, Any], of: Mapping[str, Any], said: Any, text: str, by: str) -> Any:
    if "enum" in of:
        return said
    if reference := of.get("$ref"):
        of = root["definitions"][reference.rpartition("/")[2]]
    if of.get("type") == "string":
        takes = Draft7Validator(of).is_valid
        forms = (form for form in FORMS if all(takes(form.format(one)) for one in (PLAIN, by)))
        form = next(forms, None)
        return form.format(text) if form else said
    if of.get("type") == "array":
        said = said or ([""] if of["items"].get("type") == "string" else [])
        return [_with(root, of["items"], one, text, by) for one in said]
    inner = of.get("properties", {})
    if not isinstance(said, dict):
        return said
    return {
        name: _with(root, inner[name], value, text, by) if name in inner else value
        for name, value in said.items()
    }


def _rendered(folder: Path, chart: str, values: Any) -> list[Any]:
    file = folder / "values.json"
    file.write_text(json.dumps(values))
    run = template(chart, "--values", str(file))
    assert run.returncode == 0, run.stderr
    return [one for one in yaml.safe_load_all(run.stdout) if one]


def _compare(expected: Any, found: Any, odd: str, path: str) -> None:
    """Equal, but for a text in the place of another, and sums."""
    assert type(expected) is type(found), (path, expected, found)
    if isinstance(expected, dict):
        assert expected.keys() == found.keys(), path
        for name, inner in expected.items():
            _compare(inner, found[name], odd, f"{path}/{name}")
    elif isinstance(expected, list):
        assert len(expected) == len(found), path
        for number, inner in enumerate(expected):
            _compare(inner, found[number], odd, f"{path}/{number}")
    elif "checksum/" not in path:
        assert str(found) == str(expected).replace(PLAIN, odd), path
