"""How much a pod may have under way at those it calls; nothing is tried again by itself."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import grpc
import pytest

from tests.mesh.api_server import ApiServer
from tests.mesh.callers import answer, channel, outcome, page
from tests.mesh.istiod import Istiod
from tests.mesh.objects import named
from tests.mesh.programs import Lines, Pages, Rpcs
from tests.mesh.proxy import Proxy
from tests.mesh.rig import Rig, service
from tests.parts.polling import PATIENCE_S, wait_until

TRITON, TRITON_PORT = "triton.model-genre.svc.cluster.local", 8001
POSTGRES_PORT = 5432
MLFLOW, MLFLOW_PORT = "mlflow.mlflow.svc.cluster.local", 5000
INFER = "/inference.GRPCInferenceService/ModelInfer"
OK = grpc.StatusCode.OK, ""


@dataclass(frozen=True)
class Mesh:
    """Two who call, and those that they call."""

    gateway: Proxy
    rollout: Proxy
    triton: Rpcs
    mlflow: Pages


@pytest.fixture(scope="module")
def within(
    api: ApiServer, mesh: Istiod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mesh]:
    with (
        Rig(api, mesh, tmp_path_factory.mktemp("limits")) as rig,
        Rpcs() as triton,
        Lines() as postgres,
        Pages() as mlflow,
    ):
        called = {
            ("model-genre", "triton"): {TRITON_PORT: ("GRPC", triton.port)},
            ("infra", "postgres"): {POSTGRES_PORT: ("TCP", postgres.port)},
            ("mlflow", "mlflow"): {MLFLOW_PORT: ("HTTP", mlflow.port)},
        }
        rig.apply([service(*name, ports) for name, ports in called.items()])
        callers = [rig.workload("predict-mesh", name) for name in ("gateway", "rollout")]
        others = [rig.workload(*name, ports, track="stable") for name, ports in called.items()]
        gateway, rollout, *_ = rig.start([*callers, *others])
        with channel(gateway, TRITON, TRITON_PORT) as calls:
            wait_until(lambda: calls.call(INFER) == OK)
        wait_until(lambda: page(rollout, MLFLOW, MLFLOW_PORT) == 200)
        yield Mesh(gateway, rollout, triton, mlflow)


def test_more_calls_than_tritons_are_to_have_fail_at_once(within: Mesh) -> None:
    policy = named("DestinationRule", "model-genre", "triton-balanced")["spec"]["trafficPolicy"]
    limit = policy["connectionPool"]["http"]["http2MaxRequests"]
    released = threading.Event()
    within.triton.meanwhile = lambda call: released.wait(PATIENCE_S)
    # Of one connection a proxy takes fewer streams at once than that.
    options = ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)
    with ExitStack() as running:
        running.callback(released.set)
        channels = [
            running.enter_context(channel(within.gateway, TRITON, TRITON_PORT, *options))
            for _ in range(4)
        ]
        calls = [channels[number % 4].begin(INFER) for number in range(limit + 10)]
        wait_until(lambda: sum(call.done() for call in calls) == 10)
        refused = [outcome(call) for call in calls if call.done()]
        released.set()
        answered = [one for one in map(outcome, calls) if one == OK]
    assert len(answered) == limit
    assert {code for code, _ in refused} == {grpc.StatusCode.UNAVAILABLE}
    assert all("overflow" in details for _, details in refused)


def test_a_pod_has_no_more_connections_to_postgres_than_it_may(within: Mesh) -> None:
    policy = named("DestinationRule", "infra", "postgres")["spec"]["trafficPolicy"]
    limit = policy["connectionPool"]["tcp"]["maxConnections"]
    address = within.gateway.workload.outbound, POSTGRES_PORT
    with ExitStack() as held:

        def one_more() -> socket.socket:
            return held.enter_context(socket.create_connection(address, timeout=PATIENCE_S))

        opened = [one_more() for _ in range(limit)]
        assert {answer(connection) for connection in opened} == {b"anybody?\n"}
        assert answer(one_more()) == b""
        opened[0].close()
        wait_until(lambda: answer(one_more()) == b"anybody?\n")


def test_what_no_route_says_to_try_again_is_asked_once(within: Mesh) -> None:
    before = len(within.mlflow.requests)
    within.mlflow.status = 503
    assert page(within.rollout, MLFLOW, MLFLOW_PORT) == 503
    assert len(within.mlflow.requests) == before + 1
