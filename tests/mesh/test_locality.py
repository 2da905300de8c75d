"""Calls stay in the zone of who calls, and leave it where nobody in it is well."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import grpc
import pytest

from tests.mesh.api_server import ApiServer
from tests.mesh.callers import Channel, channel
from tests.mesh.istiod import Istiod
from tests.mesh.programs import Rpcs
from tests.mesh.proxy import Proxy
from tests.mesh.rig import Rig, service
from tests.parts.polling import wait_until

NAMESPACE, PORT = "model-genre", 8001
HOST = f"triton.{NAMESPACE}.svc.cluster.local"
INFER = "/inference.GRPCInferenceService/ModelInfer"
HERE, THERE = "eu/a", "eu/b"
OK = grpc.StatusCode.OK, ""


@dataclass(frozen=True)
class Zones:
    """A Triton in the zone of the gateway that asks, and one in another."""

    proxy: Proxy
    channel: Channel
    near: Rpcs
    far: Rpcs

    def infer(self, calls: int = 1) -> tuple[int, int]:
        """How many come to each; all are answered."""
        before = self.near.calls, self.far.calls
        assert {self.channel.call(INFER) for _ in range(calls)} == {OK}
        return self.near.calls - before[0], self.far.calls - before[1]

    def ejected(self) -> int:
        """How many get no calls as they fail."""
        return self.proxy.counter("outlier_detection.ejections_active")


@pytest.fixture(scope="module")
def zones(
    api: ApiServer, mesh: Istiod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Zones]:
    with Rig(api, mesh, tmp_path_factory.mktemp("locality")) as rig, Rpcs() as near, Rpcs() as far:
        rig.apply([service(NAMESPACE, "triton", [PORT])])
        gateway = replace(rig.workload("predict-mesh", "gateway"), locality=HERE)
        tritons = [
            replace(
                rig.workload(NAMESPACE, "triton", {PORT: ("GRPC", program.port)}, track="stable"),
                locality=zone,
            )
            for program, zone in ((near, HERE), (far, THERE))
        ]
        proxy, *_ = rig.start([gateway, *tritons])
        with channel(proxy, HOST, PORT) as calls:
            wait_until(lambda: all(one.inbound in proxy.admin("clusters") for one in tritons))
            wait_until(lambda: calls.call(INFER) == OK)
            yield Zones(proxy, calls, near, far)


def test_calls_stay_in_the_zone_while_it_is_well_and_leave_it_when_not(zones: Zones) -> None:
    assert zones.infer(100) == (100, 0)

    zones.near.code = lambda call: grpc.StatusCode.UNAVAILABLE
    wait_until(lambda: zones.infer()[1] == 1 and zones.ejected() == 1)  # nobody is told of it
    assert zones.infer(50) == (0, 50)

    zones.near.code = lambda call: grpc.StatusCode.OK
    wait_until(lambda: zones.ejected() == 0)
    assert zones.infer(100) == (100, 0)
