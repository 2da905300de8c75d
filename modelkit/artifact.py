"""A trained model with the code that it needs, as one folder.

    model.json  weights.safetensors  MLmodel  golden.json
    code/models/<name>/*.py  code/modelkit/{abstract_model,loading,mlflow_loader}.py

The code travels with the weights, so that versions of one model can differ in both and still
be served side by side. The same training gives the same folder, byte for byte.
"""

import hashlib
import importlib
import inspect
import shutil
from pathlib import Path

from modelkit import abstract_model, loading, mlflow_loader
from modelkit.abstract_model import AbstractModel

CODE_DIRECTORY = "code"


class UnknownModel(LookupError):
    """There is no such folder under models/."""


def model_class(name: str, variant: str = "model") -> type[AbstractModel]:
    """The class `Model` of models/<name>/<variant>.py. Raises UnknownModel."""
    module = f"models.{name}.{variant}"
    try:
        found: type[AbstractModel] = importlib.import_module(module).Model
    except ModuleNotFoundError as exc:
        if exc.name and not module.startswith(exc.name):
            raise  # the model's own dependency is missing
        raise UnknownModel(f"there is no models/{name}/{variant}.py") from exc
    return found


def model_directory(name: str) -> Path:
    """The folder of models/<name>. Raises UnknownModel."""
    return Path(inspect.getfile(model_class(name))).parent


def write_artifact(model: AbstractModel, directory: Path) -> None:
    """Write the model and its code into a new folder."""
    directory.mkdir()
    model.save(directory)
    code = directory / CODE_DIRECTORY
    _copy_package(type(model).__module__, code)
    for module in (abstract_model, loading, mlflow_loader):
        _copy_module(module.__name__, code)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(directory: Path) -> str:
    """The SHA-256 of all files of a folder, their names and contents, in hexadecimal.

    The same as `find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum`.
    """
    files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*")}
    lines = [
        f"{file_digest(path)}  {name}\n" for name, path in sorted(files.items()) if path.is_file()
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _copy_package(module: str, code: Path) -> None:
    """Copy a module with the Python files beside it."""
    source = Path(inspect.getfile(importlib.import_module(module))).parent
    package = code.joinpath(*module.split(".")[:-1])
    shutil.copytree(source, package, ignore=_all_but_python)
    _mark_packages(package, code)


def _copy_module(module: str, code: Path) -> None:
    source = Path(inspect.getfile(importlib.import_module(module)))
    package = code.joinpath(*module.split(".")[:-1])
    package.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, package)
    _mark_packages(package, code)


def _mark_packages(package: Path, code: Path) -> None:
    """Make regular packages of the folder and those above it, so that no other is looked in."""
    while package != code:
        (package / "__init__.py").touch()
        package = package.parent


def _all_but_python(directory: str, names: list[str]) -> set[str]:
    return {name for name in names if not name.endswith(".py")}
