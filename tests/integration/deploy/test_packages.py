"""The packages of each environment: what its programs import, and what its lock says.

Every module is imported where only the packages of an extra, and what those need, can be found: so
a new import fails here, and images need not be built to see it.
"""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.integration.deploy.jobs import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = {"dev": ROOT / "requirements.lock"} | {
    path.stem: path for path in (ROOT / "deploy" / "docker").glob("*.txt")
}
OF_A_MODEL = (ROOT / "models" / "genre" / "requirements.txt").read_text().splitlines()
OURS = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()} | {"predict"}
# Modules of ours that an image runs, with what they import; a folder stands for all in it.
PROGRAMS = {
    "gateway": ["gateway"],
    "relay": ["relay"],
    "features": ["features"],
    "runtime": ["contract", "bus", "database", "inference", "features", "model_runtime"],
    "monitoring": ["database", "webhooks", "monitoring"],
    "annotation": ["database", "annotation"],
    "train": ["modelkit", "training", "models.genre"],
    "rollout": [
        "rollout",
        "modelkit",
        "triton_repo",
        "models.genre",
        "bus",
        "database",
        "pmesh.cli",
    ],
}
IMPORT_ALL = """\
import pkgutil, sys
from importlib import import_module

absent, packages = set(sys.argv[1].split(",")), sys.argv[2].split(",")

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"no module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
for package in packages:
    found = import_module(package)
    for module in pkgutil.walk_packages(getattr(found, "__path__", ()), package + "."):
        # One starts the command line, and the others run where dashboards are made.
        if not module.name.startswith(("pmesh.cli.__main__", "monitoring.dashboards.")):
            import_module(module.name)
"""


def test_each_image_has_an_extra_and_a_lock() -> None:
    assert PROGRAMS.keys() == LOCKS.keys() - {"dev"}
    assert LOCKS.keys() <= PROJECT["optional-dependencies"].keys()


@pytest.mark.parametrize("extra", PROGRAMS)
def test_an_extra_has_what_its_programs_import(extra: str) -> None:
    models = OF_A_MODEL if "models.genre" in PROGRAMS[extra] else []
    present = with_dependencies([*requirements(extra), *models])
    absent = [
        module
        for module, distributions in packages_distributions().items()
        if not present & {canonicalize_name(name) for name in distributions} and module not in OURS
    ]
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORT_ALL, ",".join(absent), ",".join(PROGRAMS[extra])],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'build' / 'gen'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("extra", LOCKS)
def test_a_lock_has_what_its_extra_needs_and_nothing_else(extra: str) -> None:
    """If not: make lock."""
    assert locked(LOCKS[extra]).keys() == with_dependencies(requirements(extra))


@pytest.mark.parametrize("extra", PROGRAMS)
def test_all_environments_have_one_version_of_a_package(extra: str) -> None:
    everything = locked(LOCKS["dev"])
    found = locked(LOCKS[extra])
    assert {name: everything[name] for name in found} == found


def requirements(extra: str) -> Iterator[str]:
    """What is asked for, other extras of ours included."""
    yield from PROJECT["dependencies"]
    for text in PROJECT["optional-dependencies"][extra]:
        requirement = Requirement(text)
        if requirement.name == PROJECT["name"]:
            for other in requirement.extras:
                yield from requirements(other)
        else:
            yield text


def locked(lock: Path) -> dict[str, str]:
    """Name -> version, of what is for this machine."""
    lines = map(Requirement, lock.read_text().splitlines())
    return {
        canonicalize_name(line.name): str(line.specifier)
        for line in lines
        if line.marker is None or line.marker.evaluate()
    }


def with_dependencies(asked_for: Iterable[str]) -> set[str]:
    """The names of these and of all that they need, of what is installed."""
    found: set[str] = set()
    asked = {
        (requirement.name, frozenset(requirement.extras))
        for requirement in map(Requirement, asked_for)
    }
    seen: set[tuple[str, frozenset[str]]] = set()
    while asked - seen:
        name, extras = next(iter(asked - seen))
        seen.add((name, extras))
        try:
            needs: Sequence[str] = requires(name) or []
        except PackageNotFoundError:  # not for this machine
            continue
        found.add(canonicalize_name(name))
        for need in map(Requirement, needs):
            wanted = (
                (need.marker.evaluate({"extra": extra}) for extra in ("", *extras))
                if need.marker
                else [True]
            )
            if any(wanted):
                asked.add((need.name, frozenset(need.extras)))
    return found
