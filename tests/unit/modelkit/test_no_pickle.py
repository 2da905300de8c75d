"""No code reads pickles: reading one runs what is in it."""

import ast
from pathlib import Path

import pytest

import modelkit

FORBIDDEN = {"pickle", "cloudpickle", "joblib", "dill", "shelve"}
ROOT = Path(modelkit.__path__[0]).parent
SOURCES = [
    path
    for package in ROOT.iterdir()
    if (package / "__init__.py").exists() and package.name not in ("tests", "build")
    for path in package.rglob("*.py")
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_pickle_is_read(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                assert not FORBIDDEN & {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module=str(module)):
                assert module.partition(".")[0] not in FORBIDDEN
            case ast.Attribute(value=ast.Name(id="torch"), attr=attribute):
                assert attribute not in ("load", "save")
