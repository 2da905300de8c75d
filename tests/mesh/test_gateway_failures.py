"""What the ingress does about gateways that fail, are away, or take too long."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

import grpc
import pytest

from tests.mesh.api_server import ApiServer, Object
from tests.mesh.callers import Channel, is_given_up, outcome
from tests.mesh.ingress import HOSTS, LOCALITY, Ingress, start_ingress
from tests.mesh.istiod import Istiod
from tests.mesh.objects import named, soon
from tests.mesh.programs import Rpcs
from tests.mesh.rig import Rig, service
from tests.mesh.tokens import token
from tests.parts.mesh_list import ACCESS
from tests.parts.polling import PATIENCE_S, wait_until

PORT = 8080
CHECK = "/grpc.health.v1.Health/Check"
MODELS = "/predict.v1.ModelService/ListModels"
WAIT = "/predict.v1.PredictionService/WaitPrediction"
CLUSTER = f"outbound|{PORT}||gateway.predict-mesh.svc.cluster.local"
AWAY = {PORT: ("GRPC", 1)}
"""Of a gateway behind which nothing is."""
OK = grpc.StatusCode.OK, ""
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


@dataclass(frozen=True)
class Gateways:
    """Two of them, asked by the ingress."""

    rig: Rig
    ingress: Ingress
    channel: Channel
    programs: tuple[Rpcs, Rpcs]

    def call(self, rpc: str = CHECK) -> tuple[grpc.StatusCode, str]:
        return self.channel.call(rpc, _bearer())

    @property
    def calls(self) -> list[int]:
        """How many have come to each."""
        return [program.calls for program in self.programs]

    @property
    def known(self) -> set[str]:
        """The addresses of gateways that the ingress knows."""
        lines = self.ingress.proxy.admin("clusters").splitlines()
        parts = [line.split("::") for line in lines]
        return {part[1].split(":")[0] for part in parts if part[0] == CLUSTER and "." in part[1]}

    @property
    def ejected(self) -> int:
        """How many get no calls as they fail."""
        return self.ingress.proxy.counter("outlier_detection.ejections_active")


@pytest.fixture(scope="module")
def behind_the_ingress(
    api: ApiServer, mesh: Istiod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateways]:
    folder = tmp_path_factory.mktemp("gateway-failures")
    with Rig(api, mesh, folder / "mesh") as rig, Rpcs() as first, Rpcs() as second:
        services = [service("predict-mesh", "gateway", [PORT])]
        services += [service("predict-mesh", "gateway-releases", [PORT], app="gateway")]
        rig.apply(services)
        rig.change([named("VirtualService", "predict-mesh", "gateway-ingress")], soon)
        called = [
            replace(
                rig.workload("predict-mesh", "gateway", {PORT: ("GRPC", program.port)}),
                locality="eu/b",
            )
            for program in (first, second)
        ]
        ingress = start_ingress(rig, folder, called)
        with ingress.rpcs(HOSTS[0]) as channel:
            gateways = Gateways(rig, ingress, channel, (first, second))
            for rpc in (CHECK, MODELS, WAIT):
                wait_until(lambda rpc=rpc: gateways.call(rpc) == OK)  # type: ignore[misc]
            wait_until(lambda: gateways.call() == OK and min(gateways.calls) > 0)
            yield gateways


@pytest.fixture
def gateways(behind_the_ingress: Gateways) -> Gateways:
    for program in behind_the_ingress.programs:
        program.code = lambda call: grpc.StatusCode.OK
        program.meanwhile = lambda call: None
    wait_until(lambda: behind_the_ingress.ejected == 0)
    return behind_the_ingress


@pytest.mark.parametrize("rpc", [CHECK, MODELS])
def test_a_call_that_takes_too_long_is_given_up_and_what_waits_on_purpose_is_not(
    gateways: Gateways, rpc: str
) -> None:
    released = threading.Event()
    before = sum(gateways.calls)
    for program in gateways.programs:
        program.meanwhile = lambda call: released.wait(PATIENCE_S)
    try:
        waits = gateways.channel.begin(WAIT, _bearer())
        wait_until(lambda: sum(gateways.calls) == before + 1)
        assert is_given_up(gateways.call(rpc))
        assert not waits.done()
    finally:
        released.set()
    assert outcome(waits) == OK


@pytest.mark.parametrize(
    "code", [code for code in grpc.StatusCode if code.name != "OK"], ids=lambda code: code.name
)
def test_what_a_gateway_says_is_told_to_the_client_and_not_asked_again(
    gateways: Gateways, code: grpc.StatusCode
) -> None:
    for program in gateways.programs:
        program.code = lambda call: code
    before = sum(gateways.calls)
    assert gateways.call()[0] is code
    assert sum(gateways.calls) == before + 1


def test_a_gateway_that_says_unavailable_is_not_left_out(gateways: Gateways) -> None:
    """It may be for what all of them need."""
    failing, _ = gateways.programs
    failing.code = lambda call: UNAVAILABLE
    before = failing.calls
    wait_until(lambda: gateways.call() is not None and failing.calls - before > 20)
    assert gateways.ejected == 0


def test_a_gateway_that_is_away_is_not_noticed_and_soon_not_asked(gateways: Gateways) -> None:
    """Not even where it is the only one in the zone."""
    away = replace(gateways.rig.workload("predict-mesh", "gateway", AWAY), locality=LOCALITY)
    with _known(gateways, away.objects):
        outcomes = []

        def is_left_out() -> bool:
            outcomes.append(gateways.call())
            return gateways.ejected == 1

        wait_until(is_left_out)
        assert set(outcomes) == {OK}


def test_calls_that_reach_no_gateway_are_tried_again_within_a_budget(gateways: Gateways) -> None:
    """40 calls wait for one that takes no connection, and fail together."""
    calls, counter = 40, gateways.ingress.proxy.counter
    deaf = replace(gateways.rig.workload("predict-mesh", "gateway", AWAY), labels={"app": "deaf"})
    with _deaf(deaf.inbound), _known(gateways, deaf.objects):
        gateways.rig.apply([service("predict-mesh", "gateway", [PORT], app="deaf")])
        wait_until(lambda: gateways.known == {deaf.inbound})
        before = counter("upstream_rq_retry"), counter("upstream_rq_retry_overflow")
        waiting = [gateways.channel.begin(WAIT, _bearer()) for _ in range(calls)]
        assert {outcome(call)[0] for call in waiting} == {UNAVAILABLE}
        after = counter("upstream_rq_retry"), counter("upstream_rq_retry_overflow")
    gateways.rig.apply([service("predict-mesh", "gateway", [PORT])])
    wait_until(lambda: gateways.call(WAIT) == OK)
    again, refused = (last - first for last, first in zip(after, before, strict=True))
    assert 0 < again < calls / 2
    assert refused > 0


@contextmanager
def _known(gateways: Gateways, objects: Sequence[Object]) -> Iterator[None]:
    """One that istiod tells the ingress of."""
    gateways.rig.apply(objects)
    try:
        yield
    finally:
        gateways.rig.api.delete(objects)


@contextmanager
def _deaf(address: str) -> Iterator[None]:
    """Somebody who takes no connection there, and refuses none."""
    with ExitStack() as held, socket.socket() as listening:
        listening.bind((address, PORT))
        listening.listen(0)
        with suppress(TimeoutError):
            while True:
                held.enter_context(socket.create_connection((address, PORT), timeout=1))
        yield


def _bearer() -> tuple[str, str]:
    claims = {"iss": ACCESS.tokens.issuer, "aud": ACCESS.tokens.audience, "sub": "ann"}
    return "authorization", f"Bearer {token(**claims, roles=list(ACCESS.roles))}"
