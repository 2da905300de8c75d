"""The rooms: what CONTRIBUTING.md says of the layout, held against the files."""

import ast
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = ("contract", "database", "bus", "inference", "features")
PROGRAMS = ("gateway", "relay", "model_runtime", "training", "rollout")
OTHERS = ("modelkit", "models", "triton_repo", "pmesh")
ROOMS = (*CONTRACTS, *PROGRAMS, *OTHERS)

TWICE = {
    "Settings": "what a program can be told by its environment: each program has its own",
    "Model": "in models/, what the platform looks for; in the gateway, a row of the catalog",
    "Network": "the torch module of a model: each model's own",
    "Models": "the gateway's models, and the Protocol beside their user",
    "Changes": "what the database tells of, and the Protocol beside its user",
    "State": "where a prediction stands, and where a part of the local stack stands",
    "Version": "a version as the catalog has it, and as the registry has it",
}
"""Class names that stand twice in product code, each with its reason."""

LAYERS = ("unit", "integration", "conformance", "connectconformance", "images", "e2e")


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_files_are_short() -> None:
    lengths = {path: path.read_text().count("\n") for path in sources(*ROOMS)}
    assert statistics.median(lengths.values()) < 90
    assert {str(path) for path, length in lengths.items() if length > 350} == set()


def test_a_class_name_stands_for_one_thing_but_for_those_with_a_reason() -> None:
    places = defaultdict(set)
    for path in sources(*ROOMS):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].add(path)
    assert {name for name, found in places.items() if len(found) > 1} == set(TWICE)


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_opens_with_a_sentence_that_says_what_it_is(room: str) -> None:
    sentence = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text()))
    assert sentence
    assert sentence.partition("\n")[0].endswith((".", ":"))


@pytest.mark.parametrize("layer", LAYERS)
def test_no_layer_of_tests_imports_anothers_internals(layer: str) -> None:
    others = tuple(f"tests.{other}" for other in LAYERS if other != layer)
    borrowed = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in sources(f"tests/{layer}")
        for module in imported(path)
        if module.startswith(others)
    }
    assert borrowed == set()


def test_the_parts_that_tests_share_import_no_layer() -> None:
    layers = tuple(f"tests.{layer}" for layer in LAYERS)
    assert not [
        path for path in sources("tests/parts") if any(m.startswith(layers) for m in imported(path))
    ]


def test_a_predict_is_followed_by_opening_six_files() -> None:
    """Each of them imports or is given the next; see CONTRIBUTING.md."""
    said = (ROOT / "CONTRIBUTING.md").read_text()
    path = [line.split()[0] for line in said.splitlines() if line.startswith("    gateway/")]
    path += [line.split()[0] for line in said.splitlines() if line.startswith("    inference/")]
    assert 0 < len(path) <= 6
    assert all((ROOT / file).is_file() for file in path)
