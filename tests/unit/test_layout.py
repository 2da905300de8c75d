"""The rooms: what CONTRIBUTING.md says of the layout, held against the files."""

import ast
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = ("contract", "database", "bus", "inference", "features", "webhooks", "telemetry")
PROGRAMS = (
    *("gateway", "relay", "model_runtime", "training", "rollout", "monitoring"),
    "annotation",
)
OTHERS = ("modelkit", "models", "triton_repo", "pmesh")
ROOMS = (*CONTRACTS, *PROGRAMS, *OTHERS)

TWICE = {
    "Settings": "what a program can be told by its environment: each program has its own",
    "Model": "in models/, what the platform looks for; in the gateway, a row of the catalog",
    "Network": "the torch module of a model: each model's own",
    "Models": "the gateway's models, and the Protocol beside their user",
    "Changes": "what the database tells of, and the Protocol beside its user",
    "State": "where a prediction stands, and where a part of the local stack stands",
    "Candidate": "a version to be released, and an answer to be labelled",
    "Version": "a version as the catalog has it, and as the registry has it",
}
"""Class names that stand twice in product code, each with its reason."""

PREDICT = {
    "gateway/servicers/predictions.py": "Predict",
    "gateway/predictions.py": "predict",
    "gateway/models.py": "predict",
    "gateway/batching.py": "submit",
    "inference/server.py": "predict",
    "gateway/store/predictions.py": "insert_finished",
}
"""The path of a gRPC Predict, and what it calls in each file."""

LAYERS = (
    "unit",
    "integration",
    "conformance",
    "connectconformance",
    "images",
    "landed",
    "annotation",
    "e2e",
)


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


def test_every_connection_of_a_program_to_the_database_has_the_bounds() -> None:
    unbounded = set()
    for path in sources(*CONTRACTS, *PROGRAMS, "pmesh/cli"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            opens = called.endswith(("Connection.connect", "ConnectionPool"))
            if opens or called == "psycopg.connect":
                first = ast.unparse(node.args[0]) if node.args else ""
                if not first.startswith("bounded("):
                    unbounded.add(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert unbounded == set()


def test_a_predict_is_followed_by_opening_six_files() -> None:
    """Those that CONTRIBUTING.md names: one before it calls what the next one defines."""
    said = (ROOT / "CONTRIBUTING.md").read_text()
    assert [line.split()[0] for line in said.splitlines() if line.startswith("    ")][
        : len(PREDICT)
    ] == list(PREDICT)
    opened = ""
    for file, function in PREDICT.items():
        source = (ROOT / file).read_text()
        assert f"def {function}(" in source
        assert not opened or f".{function}(" in opened
        opened += source
