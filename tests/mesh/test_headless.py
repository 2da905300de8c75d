"""How rollout reaches each Triton: at its own address, by the headless service, with mTLS."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.mesh.api_server import ApiServer
from tests.mesh.istiod import Istiod
from tests.mesh.proxy import Proxy
from tests.mesh.rig import Rig, service
from tests.parts.polling import wait_until

NAMESPACE = "model-genre"
HOST, PORT = f"triton.{NAMESPACE}.svc.cluster.local", 8001
BALANCED = f"triton-balanced.{NAMESPACE}.svc.cluster.local"


@pytest.fixture(scope="module")
def callers(
    api: ApiServer, mesh: Istiod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Proxy]]:
    with Rig(api, mesh, tmp_path_factory.mktemp("headless")) as rig:
        headless = service(NAMESPACE, "triton", [PORT])
        headless["spec"]["clusterIP"] = "None"  # as the chart's is
        rig.apply([headless])
        names = ("rollout", "gateway")
        proxies = rig.start([rig.workload("predict-mesh", name) for name in names])
        wait_until(lambda: all(HOST in proxy.admin("clusters") for proxy in proxies))
        yield dict(zip(names, proxies, strict=True))


@pytest.mark.parametrize(
    ("caller", "route", "cluster"),
    [
        ("rollout", "each", f"outbound|{PORT}||{HOST}"),
        ("gateway", "tracks", f"outbound|{PORT}|stable|{BALANCED}"),
    ],
)
def test_only_rollout_calls_a_triton_at_its_own_address(
    callers: dict[str, Proxy], caller: str, route: str, cluster: str
) -> None:
    configs = _configs(callers[caller], "RoutesConfigDump", "dynamic_route_configs")
    found = [
        (one.get("name"), one["route"]["cluster"])
        for config in configs
        for host in config["route_config"]["virtual_hosts"]
        if host["name"] == f"{HOST}:{PORT}"
        for one in host["routes"]
    ]
    assert found == [(route, cluster)]


@pytest.mark.parametrize("caller", ["rollout", "gateway"])
def test_what_is_headless_goes_where_the_caller_says_by_mtls(
    callers: dict[str, Proxy], caller: str
) -> None:
    """Whether istiod knows of a pod or not."""
    configs = _configs(callers[caller], "ClustersConfigDump", "dynamic_active_clusters")
    clusters = {one["cluster"]["name"]: one["cluster"] for one in configs}
    headless = clusters[f"outbound|{PORT}||{HOST}"]
    assert headless["type"] == "ORIGINAL_DST"
    tls = headless["transport_socket"]["typed_config"]["common_tls_context"]
    assert [one["name"] for one in tls["tls_certificate_sds_secret_configs"]] == ["default"]
    names = tls["combined_validation_context"]["default_validation_context"]
    (name,) = names["match_subject_alt_names"]
    assert name["exact"] == f"spiffe://cluster.local/ns/{NAMESPACE}/sa/triton"


def _configs(proxy: Proxy, kind: str, key: str) -> list[Any]:
    dump = json.loads(proxy.admin("config_dump"))["configs"]
    (part,) = [one for one in dump if one["@type"].endswith(f".{kind}")]
    return list(part[key])
