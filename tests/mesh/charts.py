"""The charts as Helm renders them."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHARTS = {
    "predict-mesh": "predict-mesh",
    "model": "model-sentiment",
    "postgres": "infra",
    "mlflow": "mlflow",
    "annotation": "annotation",
}
"""Each with its namespace."""
CASES = [
    pytest.param(chart, file, id=f"{chart}-{file.name.removesuffix('-values.yaml')}")
    for chart in CHARTS
    for file in sorted((ROOT / "deploy/charts" / chart / "ci").glob("*-values.yaml"))
]
"""Each with the values that it is tried with."""
KUBERNETES = "1.36"

Object = Mapping[str, Any]


@cache
def helm() -> str:
    """The program: of build/mesh-tools, or on PATH."""
    built = ROOT / "build" / "mesh-tools" / "current" / "helm"
    found = str(built) if built.exists() else shutil.which("helm")
    if found is None:
        message = "left out: the charts need helm: make mesh-tools"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return found


@dataclass(frozen=True)
class Rendered:
    """The objects of a chart under some values."""

    objects: Sequence[Object]

    def of(self, *kinds: str) -> list[Object]:
        return [one for one in self.objects if one["kind"] in kinds]

    def named(self, kind: str, name: str) -> Object:
        (found,) = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        return found

    def pods(self) -> Iterator[tuple[str, Object]]:
        """The templates of pods, by the object that has them."""
        for one in self.of("Deployment", "StatefulSet", "Job", "CronJob"):
            spec = one["spec"]
            spec = spec["jobTemplate"]["spec"] if one["kind"] == "CronJob" else spec
            yield f"{one['kind']}/{one['metadata']['name']}", spec["template"]


def template(chart: str, *options: str, checkout: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """options: further ones of the command. checkout: whose chart."""
    command = [helm(), "template", chart, str(checkout / "deploy/charts" / chart)]
    command += ["--namespace", CHARTS[chart], "--kube-version", KUBERNETES, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rendered(chart: str, values: Path, *options: str, checkout: Path = ROOT) -> Rendered:
    """options: further ones of the command. checkout: whose chart."""
    run = template(chart, "--values", str(values), *options, checkout=checkout)
    assert run.returncode == 0, run.stderr
    return Rendered([one for one in yaml.safe_load_all(run.stdout) if one])


def containers(pod: Object) -> Iterator[Object]:
    yield from pod["spec"].get("initContainers", [])
    yield from pod["spec"]["containers"]


def variables(container: Object) -> dict[str, str]:
    """What the chart says itself, without what it names of secrets."""
    return {one["name"]: one["value"] for one in container.get("env", []) if "value" in one}
