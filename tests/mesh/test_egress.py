"""What is called outside the mesh: what an entry lets out to, and nothing else."""

from collections.abc import Iterator

import pytest

from tests.mesh.api_server import ApiServer
from tests.mesh.callers import page
from tests.mesh.istiod import Istiod
from tests.mesh.programs import Pages
from tests.mesh.proxy import Proxy
from tests.mesh.rig import Rig

PORT = 8088
KNOWN, UNKNOWN = "known.example.com", "unknown.example.com"


@pytest.fixture(scope="module")
def caller(
    api: ApiServer, mesh: Istiod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    with Rig(api, mesh, tmp_path_factory.mktemp("egress")) as rig, Pages() as pages:
        workload = rig.workload("predict-mesh", "relay")
        rig.apply(
            [
                {
                    "apiVersion": "networking.istio.io/v1",
                    "kind": "ServiceEntry",
                    "metadata": {"name": "known", "namespace": "predict-mesh"},
                    "spec": {
                        "hosts": [KNOWN],
                        "location": "MESH_EXTERNAL",
                        "resolution": "STATIC",
                        "ports": [{"number": PORT, "name": "http", "protocol": "HTTP"}],
                        "endpoints": [{"address": "127.0.0.1", "ports": {"http": pages.port}}],
                    },
                },
            ]
        )
        (proxy,) = rig.start([workload])
        yield proxy


def test_who_is_not_known_outside_is_not_called(caller: Proxy) -> None:
    assert page(caller, KNOWN, PORT) == 200
    assert page(caller, UNKNOWN, PORT) == 502
