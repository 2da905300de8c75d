"""No code of a model or of what runs it reads pickles: reading one runs what is in it."""

import ast
from pathlib import Path

import pytest

import model_runtime
import modelkit
import models
import rollout
import training
import triton_repo

FORBIDDEN = {"pickle", "cloudpickle", "joblib", "dill", "shelve"}
SOURCES = [
    path
    for package in (model_runtime, modelkit, models, rollout, training, triton_repo)
    for path in Path(package.__path__[0]).rglob("*.py")
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_pickle_is_read(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                assert not FORBIDDEN & {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module=str(module)):
                assert module.partition(".")[0] not in FORBIDDEN
            case ast.Attribute(value=ast.Name(id="torch"), attr=attribute):
                assert attribute not in ("load", "save")
