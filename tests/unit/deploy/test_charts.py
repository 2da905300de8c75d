"""What the charts' values say of themselves."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.parts.values import merged
from webhooks.addresses import NOT_PUBLIC

ROOT = Path(__file__).parents[3]
CHARTS = sorted(file.parent for file in (ROOT / "deploy/charts").glob("*/Chart.yaml"))

BY_DEVICE = {"cpu", "gpu"}
"""Values that templates find by the device of a Triton."""

MAY_BE_EMPTY = {"model": {"tritons.gpu.limits.nvidia.com/gpu"}}
"""By chart: where another kind of gpu may be asked for. Helm itself fills in global."""

each_chart = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)


def schema(chart: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((chart / "values.schema.json").read_text())
    return read


def values(of: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each value by its path."""
    for name, value in of["properties"].items():
        if "properties" in value:
            yield from values(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def schemas(of: Any, kind: str, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each schema of a kind, wherever it stands."""
    if isinstance(of, dict):
        if of.get("type") == kind:
            yield path, of
        for name, inner in of.items():
            yield from schemas(inner, kind, f"{path}/{name}")
    elif isinstance(of, list):
        for number, inner in enumerate(of):
            yield from schemas(inner, kind, f"{path}/{number}")


def test_what_follows_from_the_schemas_is_as_it_would_be_written() -> None:
    document = [sys.executable, ROOT / "deploy/charts/document.py", "--check"]
    run = subprocess.run(document, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("mark", ["<!-- values -->", "<!-- end of values -->"])
def test_a_readme_without_a_mark_is_left_as_it_is(tmp_path: Path, mark: str) -> None:
    charts = tmp_path / "deploy" / "charts"
    shutil.copytree(ROOT / "deploy/charts", charts, symlinks=True)
    readme = charts / "model" / "README.md"
    unmarked = readme.read_text().replace(f"{mark}\n", "")
    readme.write_text(unmarked)
    document = [sys.executable, charts / "document.py"]
    run = subprocess.run(document, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == f"{readme} lacks the line {mark}\n"
    assert readme.read_text() == unmarked


@each_chart
def test_every_value_has_a_sentence_a_default_and_a_kind(chart: Path) -> None:
    found = dict(values(schema(chart)))
    assert found
    for path, value in found.items():
        assert value["description"].endswith("."), path
        assert "default" in value, path
        assert {"type", "enum", "$ref", "anyOf"} & value.keys(), path


@each_chart
def test_a_value_that_there_is_not_is_refused_everywhere(chart: Path) -> None:
    found = dict(schemas(schema(chart), "object"))
    helms_own = found.pop("/properties/global")
    assert helms_own["default"] == {}
    assert not [path for path, of in found.items() if "additionalProperties" not in of]
    assert not [path for path, of in found.items() if of["additionalProperties"] is True]


@each_chart
def test_each_list_says_what_may_be_in_it(chart: Path) -> None:
    assert not [path for path, of in schemas(schema(chart), "array") if not of.get("items")]


@each_chart
def test_the_values_say_what_the_schema_does(chart: Path) -> None:
    said = yaml.safe_load((chart / "values.yaml").read_text())
    for path, value in values(schema(chart)):
        found = said
        for name in path.split("."):
            found = found[name]
        assert found == value["default"], path


@each_chart
def test_a_value_that_is_left_empty_is_refused(chart: Path) -> None:
    """Helm takes `key:` for one that is to be without its default."""
    least = yaml.safe_load((chart / "ci" / "least-values.yaml").read_text())
    whole = merged(yaml.safe_load((chart / "values.yaml").read_text()), least)
    schema_of = Draft7Validator(schema(chart))
    assert not list(schema_of.iter_errors(whole))
    empty = {path for path, without in each_left_out(whole) if schema_of.is_valid(without)}
    assert empty == MAY_BE_EMPTY.get(chart.name, set()) | {"global"}


def each_left_out(said: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """By the path of each group and value: all the others."""
    for name, inner in said.items():
        yield f"{path}{name}", {key: other for key, other in said.items() if key != name}
        if isinstance(inner, dict):
            for at, without in each_left_out(inner, f"{path}{name}."):
                yield at, said | {name: without}


@each_chart
def test_what_is_called_outside_says_what_the_mesh_lets_out_to(chart: Path) -> None:
    for path, value in values(schema(chart)):
        if re.search(r"(^|\.)(region|endpoint|bucket|artifacts|uri|address|database\.host)$", path):
            assert "mesh.yaml" in value["description"], path
            assert "the mesh lets out to no" in value["description"], path


@pytest.mark.parametrize(
    ("chart", "path", "taken", "refused"),
    [
        (
            "postgres",
            "restore.until",
            [
                "",
                "2026-11-27 12:00:00+00",
                "2026-11-27T12:00:00.123456Z",
                "2026-11-27 12:00:00-0330",
            ],
            ["12", "now", "2026-11-27", "2026-13-27 12:00:00+00", "2026-11-27 12:00:00"],
        ),
        *(
            (
                "predict-mesh",
                f"{who}.schedule",
                ["", "*/15 * * * *", "0,30 8-18 * JAN-mar 1-5", "@hourly"],
                ["often", "* * * *", "* * * * * *", "@every 5m", "@reboot", "60s * * * *"],
            )
            for who in ("monitoring", "training")
        ),
    ],
)
def test_a_moment_is_one_that_who_reads_it_takes(
    chart: str, path: str, taken: list[str], refused: list[str]
) -> None:
    of = schema(ROOT / "deploy/charts" / chart)
    value = Draft7Validator(dict(values(of))[path] | {"definitions": of["definitions"]})
    assert [text for text in [*taken, *refused] if value.is_valid(text)] == taken


@each_chart
def test_a_chart_is_tried_with_as_little_as_it_takes_and_with_more(chart: Path) -> None:
    tried = {file.name for file in (chart / "ci").glob("*-values.yaml")}
    assert "least-values.yaml" in tried
    assert len(tried) > 1


def test_label_studio_fetches_nothing_that_is_not_public() -> None:
    studio = schema(ROOT / "deploy/charts/annotation")["properties"]["labelStudio"]
    assert studio["properties"]["bannedSubnets"]["default"] == list(NOT_PUBLIC)


@each_chart
def test_a_number_has_bounds_and_is_written_as_it_is(chart: Path) -> None:
    """Of a million, Helm makes 1e+06."""
    numbers = [
        (path, value) for path, value in values(schema(chart)) if value.get("type") == "integer"
    ]
    assert numbers or chart.name == "annotation"
    for path, value in numbers:
        assert value["minimum"] <= value["default"] <= value["maximum"] < 1_000_000, path


@each_chart
def test_a_value_is_there_to_be_used(chart: Path) -> None:
    templates = "".join(file.read_text() for file in (chart / "templates").iterdir())
    elsewhere = BY_DEVICE | set(schema(chart).get("if", {}).get("properties", ()))
    for path, value in values(schema(chart)):
        if path == "global":
            continue
        of_each = value.get("items", {}).get("properties", {})
        for name in (path.rpartition(".")[2], *of_each):
            assert name in elsewhere or re.search(rf"\.{name}\b", templates), (path, name)
