"""Writes what follows from each chart's values.schema.json: its values.yaml and its README's table.

    python deploy/charts/document.py [--check]

The schema is where a value has its sentence, its default and what it may be.
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

CHARTS = Path(__file__).parent
START, END = "<!-- values -->\n", "<!-- end of values -->\n"
HEAD = "# `make chart-docs` makes this of values.schema.json, where values are changed.\n"


def main() -> None:
    """Write the files, or only say which are not as they would be written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if stale")
    check = parser.parse_args().check
    try:
        stale = _stale(write=not check)
    except ValueError as error:
        sys.exit(str(error))
    if check and stale:
        names = ", ".join(str(file.relative_to(CHARTS.parents[1])) for file in stale)
        sys.exit(f"stale: {names}; run make chart-docs")


def _stale(*, write: bool) -> list[Path]:
    stale = []
    for chart in charts():
        for file, text in documents(chart).items():
            if not file.exists() or file.read_text() != text:
                stale.append(file)
                if write:
                    file.write_text(text)
    return stale


def charts() -> list[Path]:
    """The folders of the charts."""
    return sorted(file.parent for file in CHARTS.glob("*/Chart.yaml"))


def documents(chart: Path) -> dict[Path, str]:
    """File -> what it ought to be. Raises ValueError where its place is not marked."""
    schema = json.loads((chart / "values.schema.json").read_text())
    readme = chart / "README.md"
    before, start, rest = readme.read_text().partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"{readme} lacks the line {(END if start else START).strip()}")
    return {
        chart / "values.yaml": HEAD + "\n" + "\n".join(_values(schema, 0)) + "\n",
        readme: before + START + _table(schema) + END + after,
    }


def _values(schema: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Lines of YAML, each default with its sentence above it."""
    indent = "  " * depth
    for name, value in schema["properties"].items():
        if _is_group(value):
            if depth == 0:
                yield ""
            yield f"{indent}{name}:"
            yield from _values(value, depth + 1)
        else:
            for line in textwrap.wrap(value["description"], 96 - len(indent)):
                yield f"{indent}# {line}"
            yield f"{indent}{name}: {json.dumps(value['default'])}"  # JSON is YAML


def leaves(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each value by its path, with what the schema says of it."""
    for name, value in schema["properties"].items():
        if _is_group(value):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _is_group(value: Mapping[str, Any]) -> bool:
    """Whether it is only there for the values in it."""
    return "properties" in value and "default" not in value


def _table(schema: Mapping[str, Any]) -> str:
    lines = ["", "| value | default | meaning |", "| --- | --- | --- |"]
    for path, value in leaves(schema):
        default = json.dumps(value["default"]).replace("|", "\\|")
        meaning = value["description"].replace("|", "\\|").replace("<", "\\<")
        if choices := value.get("enum"):
            meaning += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
        lines.append(f"| `{path}` | `{default}` | {meaning} |")
    return "\n".join([*lines, "", ""])


if __name__ == "__main__":
    main()
