"""The lists of packages that images are made of have what the programs in them import.

Every module is imported where only the packages of a list, and what those need, can be found: so a
new import fails here, and images need not be built to see it.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.integration.deploy.jobs import ROOT

WORKER = ["contract", "bus", "database", "inference", "features", "model_runtime"]
TRAIN = [*WORKER, "modelkit", "training", "rollout", "triton_repo", "models.genre"]
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
    for module in pkgutil.walk_packages(found.__path__, package + "."):
        import_module(module.name)
"""


@pytest.mark.parametrize(
    ("lists", "packages"),
    [
        (["deploy/docker/worker.txt"], WORKER),
        (
            [
                "deploy/docker/worker.txt",
                "deploy/docker/train.txt",
                "models/genre/requirements.txt",
            ],
            TRAIN,
        ),
    ],
    ids=["worker", "train"],
)
def test_the_lists_have_what_the_programs_import(lists: list[str], packages: list[str]) -> None:
    lines = [line for path in lists for line in (ROOT / path).read_text().splitlines()]
    present = with_dependencies(line for line in lines if line and not line.startswith("#"))
    absent = [
        module
        for module, distributions in packages_distributions().items()
        if not present & {canonicalize_name(name) for name in distributions}
        and module not in {package.partition(".")[0] for package in TRAIN}
        and module != "predict"
    ]
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORT_ALL, ",".join(absent), ",".join(packages)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'build' / 'gen'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def with_dependencies(requirements: Iterable[str]) -> set[str]:
    """The names of these and of all that they need, of what is installed."""
    found: set[str] = set()
    asked = {
        (requirement.name, frozenset(requirement.extras))
        for requirement in map(Requirement, requirements)
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
