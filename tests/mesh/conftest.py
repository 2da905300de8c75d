"""One API server and one istiod for all tests, and their tools."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mesh.api_server import ApiServer, namespaces
from tests.mesh.istiod import Istiod
from tests.mesh.objects import mesh_settings, to_run_here
from tests.mesh.rig import TOOLS


@pytest.fixture(scope="session")
def tools() -> Path:
    """etcd, kube-apiserver, kubectl, helm, pilot-discovery, pilot-agent."""
    if not TOOLS.exists():
        message = "left out: a real control plane needs its tools: make mesh-tools, with Go"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return TOOLS.resolve()


@pytest.fixture(scope="session")
def api(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with ApiServer(tools, tmp_path_factory.mktemp("kubernetes") / "api") as api:
        yield api


@pytest.fixture(scope="session")
def istiod(
    api: ApiServer, tools: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Istiod]:
    """With the settings of istio/."""
    directory = tmp_path_factory.mktemp("istio") / "istiod"
    with Istiod(api, tools, directory, **mesh_settings()) as istiod:
        yield istiod


@pytest.fixture(scope="session")
def mesh(api: ApiServer, istiod: Istiod) -> Istiod:
    """With every object of istio/."""
    objects = to_run_here()
    api.apply(namespaces(one["metadata"]["namespace"] for one in objects))
    api.apply(objects)
    return istiod
