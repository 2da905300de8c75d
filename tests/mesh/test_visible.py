"""What the proxy of each app knows: each host that its `Sidecar` names, and no other."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.mesh.api_server import ApiServer
from tests.mesh.istiod import Istiod
from tests.mesh.objects import visible
from tests.mesh.proxy import Proxy
from tests.mesh.rig import Rig, service
from tests.mesh.table import doors
from tests.parts.polling import wait_until

VISIBLE = visible()
TRACES = "groundcover", "groundcover-sensor", [4317]


@pytest.fixture(scope="module")
def proxies(
    api: ApiServer, mesh: Istiod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Proxy]]:
    """One of each."""
    ports: dict[str, set[int]] = {}
    for door in doors():
        ports.setdefault(door.service, set()).add(door.port)
    services = [service(*name.split("/"), listed) for name, listed in ports.items()]
    services.append(service(*TRACES))
    with Rig(api, mesh, tmp_path_factory.mktemp("visible")) as rig:
        rig.apply(services)
        workloads = [
            replace(rig.workload(*name.split("/")), hosts=hosts) for name, hosts in VISIBLE.items()
        ]
        yield dict(zip(VISIBLE, rig.start(workloads), strict=True))


@pytest.mark.parametrize("app", VISIBLE)
def test_a_proxy_knows_each_host_that_its_app_may_call_and_no_other(
    proxies: dict[str, Proxy], app: str
) -> None:
    listed = {host.partition("/")[2] for host in VISIBLE[app]}
    wait_until(lambda: _known(proxies[app]) == listed)


def _known(proxy: Proxy) -> set[str]:
    statuses = json.loads(proxy.admin("clusters?format=json"))["cluster_statuses"]
    names = [one["name"].split("|") for one in statuses]
    return {name[3] for name in names if name[0] == "outbound"}
