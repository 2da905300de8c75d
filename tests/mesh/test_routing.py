"""Which Triton a call goes to, and what is done about those that fail: by the gateway's proxy."""

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

import grpc
import pytest

from modelkit.serving import ClusterServing
from pmesh.render.tritons import connections, pool, routes
from tests.mesh.api_server import ApiServer
from tests.mesh.callers import Channel, channel, is_given_up
from tests.mesh.istiod import Istiod
from tests.mesh.objects import SOON_S, soon, to_run_here
from tests.mesh.programs import Rpcs
from tests.mesh.proxy import Proxy
from tests.mesh.rig import Rig, service
from tests.parts.mesh_list import MODELS
from tests.parts.polling import PATIENCE_S, wait_until

NAMESPACE = "model-sentiment"
HOST, PORT = f"triton.{NAMESPACE}.svc.cluster.local", 8001
INFER = "/inference.GRPCInferenceService/ModelInfer"
TRACKS = {"stable-1": "stable", "stable-2": "stable", "canary": "canary", "own": "version-12"}
CANARY = 0.1
SERVING = ClusterServing(canary=10, versions={"12": "cpu", "99": "cpu"})
MODEL = replace(next(model for model in MODELS if model.id == "sentiment"), serving=SERVING)
PINNED = ("x-model-version", "12")
OK = grpc.StatusCode.OK, ""


@dataclass
class Gateway:
    """Calls the Tritons as the gateway does."""

    proxy: Proxy
    channel: Channel
    tritons: dict[str, Rpcs]

    def infer(self, *metadata: tuple[str, str]) -> tuple[grpc.StatusCode, str]:
        return self.channel.call(INFER, *metadata)

    def counted(self, calls: Callable[[], object]) -> dict[str, int]:
        """How many calls each Triton gets meanwhile."""
        before = {name: triton.calls for name, triton in self.tritons.items()}
        calls()
        return {name: triton.calls - before[name] for name, triton in self.tritons.items()}

    def ejected(self) -> int:
        """How many Tritons get no calls as they fail."""
        return self.proxy.counter("outlier_detection.ejections_active")


@pytest.fixture(scope="module")
def in_mesh(
    api: ApiServer, mesh: Istiod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    with ExitStack() as running:
        rig = running.enter_context(Rig(api, mesh, tmp_path_factory.mktemp("routing")))
        tritons = {name: running.enter_context(Rpcs()) for name in TRACKS}
        caller = rig.workload("predict-mesh", "gateway")
        called = [
            rig.workload(NAMESPACE, "triton", {PORT: ("GRPC", program.port)}, track=TRACKS[name])
            for name, program in tritons.items()
        ]
        api.apply([routes(MODEL), pool(MODEL), connections(MODEL)])
        running.callback(lambda: api.apply(to_run_here()))
        rig.apply([service(NAMESPACE, "triton", [PORT])])
        proxy, *_ = rig.start([caller, *called])
        calls = running.enter_context(channel(proxy, HOST, PORT))
        gateway = Gateway(proxy, calls, tritons)
        wait_until(lambda: gateway.infer() == OK and gateway.infer(PINNED) == OK)
        yield gateway


@pytest.fixture
def gateway(in_mesh: Gateway) -> Gateway:
    for triton in in_mesh.tritons.values():
        triton.code = lambda call: grpc.StatusCode.OK
        triton.meanwhile = lambda call: None
    wait_until(lambda: in_mesh.ejected() == 0)
    return in_mesh


def test_the_canaries_get_their_part_of_the_calls(gateway: Gateway) -> None:
    calls = 2000
    with ThreadPoolExecutor(8) as threads:
        met = gateway.counted(
            lambda: [f.result() for f in [threads.submit(gateway.infer) for _ in range(calls)]]
        )
    assert sum(met.values()) == calls
    assert met["own"] == 0
    assert min(met["stable-1"], met["stable-2"]) > 0
    assert _tail(calls, CANARY, met["canary"]) > 1e-6, met


def test_a_version_with_tritons_of_its_own_is_asked_there_only(gateway: Gateway) -> None:
    met = gateway.counted(lambda: [gateway.infer(PINNED) for _ in range(200)])
    assert met == {"stable-1": 0, "stable-2": 0, "canary": 0, "own": 200}


def test_another_version_goes_to_the_tracks(gateway: Gateway) -> None:
    met = gateway.counted(lambda: [gateway.infer(("x-model-version", "13")) for _ in range(50)])
    assert (met["own"], sum(met.values())) == (0, 50)


def test_a_call_is_tried_again_by_the_mesh_alone(gateway: Gateway) -> None:
    """The gateway asks another one as well, where there is no mesh: here it is told not to."""
    gateway.tritons["own"].code = lambda call: grpc.StatusCode.UNAVAILABLE
    told: dict[str, str] = {}
    met = gateway.counted(lambda: told.update(gateway.channel.told(INFER, PINNED)))
    assert (told["grpc-retry-pushback-ms"], met["own"]) == ("-1", 3)


def test_where_there_is_no_triton_nothing_is_tried_again(gateway: Gateway) -> None:
    """The proxy answers itself; it is asked once."""
    name = "upstream_cx_none_healthy"
    before = gateway.proxy.counter(name)
    told = gateway.channel.told(INFER, ("x-model-version", "99"))
    assert told["grpc-retry-pushback-ms"] == "-1"
    assert gateway.proxy.counter(name) - before == 1


def test_unavailable_is_tried_again(gateway: Gateway) -> None:
    triton = gateway.tritons["own"]
    first = triton.calls + 1
    triton.code = lambda call: grpc.StatusCode.UNAVAILABLE if call == first else grpc.StatusCode.OK
    answers: list[object] = []
    met = gateway.counted(lambda: answers.append(gateway.infer(PINNED)))
    assert (answers, met["own"]) == ([OK], 2)


@pytest.mark.parametrize(
    "code",
    [code for code in grpc.StatusCode if code.name not in ("OK", "UNAVAILABLE")],
    ids=lambda code: code.name,
)
def test_what_else_a_triton_says_is_not_tried_again(
    gateway: Gateway, code: grpc.StatusCode
) -> None:
    gateway.tritons["own"].code = lambda call: code
    answers: list[grpc.StatusCode] = []
    met = gateway.counted(lambda: answers.append(gateway.infer(PINNED)[0]))
    assert (answers, met["own"]) == ([code], 1)


def test_an_outage_is_not_made_worse_by_trying_again(gateway: Gateway) -> None:
    """40 calls fail at once; with two more attempts for each there would be 120."""
    calls, budget = 40, 0.2
    triton, name = gateway.tritons["own"], "upstream_rq_retry_overflow"
    before, refused_before = triton.calls, gateway.proxy.counter(name)
    all_came, all_decided = threading.Event(), threading.Event()

    def wait(call: int) -> None:
        (all_came if call - before <= calls else all_decided).wait(PATIENCE_S)

    triton.meanwhile = wait
    triton.code = lambda call: grpc.StatusCode.UNAVAILABLE
    with ThreadPoolExecutor(calls) as threads:
        answers = [threads.submit(gateway.infer, PINNED) for _ in range(calls)]
        wait_until(lambda: triton.calls - before == calls)
        all_came.set()

        def again() -> int:
            return triton.calls - before - calls

        wait_until(lambda: again() + gateway.proxy.counter(name) - refused_before == calls)
        tried_again = again()
        all_decided.set()
        assert {one.result()[0] for one in answers} == {grpc.StatusCode.UNAVAILABLE}
    assert 0 < tried_again <= budget * calls + 1


def test_a_triton_that_fails_again_and_again_gets_no_calls(gateway: Gateway) -> None:
    failing = gateway.tritons["stable-1"]
    failing.code = lambda call: grpc.StatusCode.UNAVAILABLE

    def is_ejected() -> bool:
        gateway.infer()
        return gateway.ejected() == 1

    wait_until(is_ejected)
    seen = []

    def gets_none_while_it_is() -> bool:
        met = gateway.counted(lambda: seen.extend(gateway.infer() for _ in range(100)))
        return gateway.ejected() == 1 and met["stable-1"] == 0

    wait_until(gets_none_while_it_is)
    assert set(seen) == {OK}


def test_no_more_than_half_of_the_tritons_get_no_calls(gateway: Gateway) -> None:
    for name in ("stable-1", "stable-2"):
        gateway.tritons[name].code = lambda call: grpc.StatusCode.UNAVAILABLE

    def is_ejected() -> bool:
        gateway.infer()
        return gateway.ejected() == 1

    wait_until(is_ejected)
    met = gateway.counted(lambda: [gateway.infer() for _ in range(100)])
    assert max(met["stable-1"], met["stable-2"]) > 20
    assert gateway.ejected() == 1


def test_a_call_that_takes_too_long_is_given_up(gateway: Gateway, api: ApiServer) -> None:
    """After what a test can wait for, in place of the time that the routes have."""
    rendered = routes(MODEL)
    released = threading.Event()
    gateway.tritons["own"].meanwhile = lambda call: released.wait(PATIENCE_S)
    api.apply([soon(rendered)])
    try:
        wait_until(lambda: f'"timeout": "{SOON_S}s"' in gateway.proxy.admin("config_dump"))
        assert is_given_up(gateway.infer(PINNED))
    finally:
        released.set()
        api.apply([rendered])


def _tail(calls: int, share: float, met: int) -> float:
    """How probable it is to be that far from what is expected, or farther, on the same side."""

    def probability(count: int) -> float:
        ways = math.lgamma(calls + 1) - math.lgamma(count + 1) - math.lgamma(calls - count + 1)
        return math.exp(ways + count * math.log(share) + (calls - count) * math.log1p(-share))

    side = range(met + 1) if met < calls * share else range(met, calls + 1)
    return math.fsum(map(probability, side))
