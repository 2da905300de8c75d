"""One API server and one istiod for all tests, and their tools."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mesh.api_server import ApiServer
from tests.mesh.istiod import Istiod, mesh_config
from tests.mesh.objects import policies as made
from tests.mesh.rig import TOOLS
from tests.mesh.table import doors


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
    config = mesh_config(
        outboundTrafficPolicy={"mode": "REGISTRY_ONLY"},
        pathNormalization={"normalization": "DECODE_AND_MERGE_SLASHES"},
    )
    with Istiod(api, tools, tmp_path_factory.mktemp("istio") / "istiod", config) as istiod:
        yield istiod


@pytest.fixture(scope="session")
def policies(api: ApiServer, istiod: Istiod) -> None:
    """Those of the mesh: in force for whatever test."""
    namespaces = {name.partition("/")[0] for door in doors() for name in (door.service,)}
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in sorted(namespaces)
    )
    api.apply(made(doors()))
