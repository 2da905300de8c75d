"""That the suites which run where a change concerns them run where it does."""

import ast
import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def listed(name: str) -> list[str]:
    """The patterns of a list of .ci/run."""
    text = (ROOT / ".ci/run").read_text()
    (found,) = re.findall(rf"^{name}=\((.+?)\)$", text, re.MULTILINE | re.DOTALL)
    return shlex.split(found, comments=True)


def used(folder: Path) -> Iterator[str]:
    """What the tests in a folder import of ours and open of the checkout, by its path."""
    for file in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.ImportFrom(module=str(module)):
                    path = Path(*module.split("."))
                    names = [path.with_suffix(".py"), *(path / f"{n.name}.py" for n in node.names)]
                    yield from (str(one) for one in names if (ROOT / one).is_file())
                case ast.Constant(value=str(text)) if re.fullmatch(r"[\w./-]+\.(yaml|sh)", text):
                    if (ROOT / text).is_file():
                        yield text


@pytest.mark.parametrize(
    ("patterns", "folder", "one"),
    [
        ("of_the_mesh", "tests/mesh", "deploy/prometheus/values.yaml"),
        ("of_images", "tests/images", "features/spool.py"),
        ("of_annotation", "tests/annotation", "annotation/interface.py"),
    ],
)
def test_a_suite_runs_when_what_its_tests_use_changes(patterns: str, folder: str, one: str) -> None:
    files = set(used(ROOT / folder))
    assert one in files
    assert [
        file
        for file in sorted(files)
        if not any(file.startswith(f"{p}/") or fnmatch(file, p) for p in listed(patterns))
    ] == []
