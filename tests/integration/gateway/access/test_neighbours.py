"""Whatever one caller asks for without end, the other's calls of every kind are answered.

Asked of the gateway's program, by gRPC with tokens. Its limits are small, so that the calls of one
caller come up to each of them.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from predict.v1 import feedback_service_pb2 as feedback
from predict.v1 import prediction_service_pb2 as pb

from contract.access import Permission, policy
from database.logins import GATEWAY
from gateway.envoy.front import Front
from tests.integration.gateway.access.rows import ROWS, About, accepted, attach
from tests.integration.gateway.access.serving import MODEL, Caller, Outcome, Serving
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.integration.gateway.whole import list_models, release
from tests.parts.catalog import environment
from tests.parts.doors import METHODS
from tests.parts.issuer import AUDIENCE, ISSUER, Issuer
from tests.parts.polling import PATIENCE_S, wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import Postgres
from tests.parts.words_server import words_server

MAX_WAITING = 6
MAX_CALLS = 32
"""Eve may hold half of them, and Bob a quarter: he has some open that he has just left, too."""
EVES_CALLS, BOBS_CALLS = MAX_CALLS, 3
"""That each has open all the time, or tries to."""
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
LASTING = ("WaitPrediction", "WatchPrediction", "StreamPredict", HEALTH_WATCH, REFLECTION)
"""Calls that are open for as long as their client likes."""


@dataclass(frozen=True)
class Holder(Caller):
    """Who has a token that lets him do everything."""

    token: str = ""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token}"),)


@dataclass(frozen=True)
class Street:
    """A gateway and two who ask it."""

    gateway: Serving
    eve: Holder
    bob: Holder
    bobs: Mapping[str, str]
    """What he asks for by each rpc: ids."""
    eves: Mapping[str, "Requests"]
    """What she sends by each call of an rpc, or of a path."""

    async def is_answered(self, *rpcs: str) -> None:
        """Bob's calls of these kinds, a few at once, each as if he were alone."""
        with ThreadPoolExecutor(BOBS_CALLS) as pool:
            loop = asyncio.get_running_loop()
            asked = (loop.run_in_executor(pool, self._bobs_outcome, rpc) for rpc in rpcs)
            outcomes = dict(zip(rpcs, await asyncio.gather(*asked), strict=True))
        for rpc, outcome in outcomes.items():
            # Whoever moves the traffic of a model ends its releases.
            ended = {"RELEASE_FINISHED"} if ROWS[rpc].about is About.RELEASE else set()
            reason = outcome.reason or outcome.details
            assert reason in {ROWS[rpc].otherwise, *ended}, rpc

    def _bobs_outcome(self, rpc: str) -> Outcome:
        return self.gateway.call(rpc, ROWS[rpc].request(self.bobs[rpc]), self.bob)


@pytest.fixture(scope="module")
def street(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder, issuer = tmp_path_factory.mktemp("street"), Issuer()
    database = postgres.create_database()
    access = _write_policy(folder, issuer)
    settings = Front(port=free_port(), admin_port=free_port(), access=access)
    variables = {
        **environment(database, GATEWAY),
        "PMESH_GATEWAY_ACCESS": str(access),
        "PMESH_GATEWAY_MAX_WAITING": str(MAX_WAITING),
        "PMESH_GATEWAY_MAX_CONNECTIONS": str(MAX_CALLS),
        "PMESH_GATEWAY_METRICS_PORT": str(free_port()),
        "PMESH_FEATURES_SPOOL": str(folder / "spool"),
    }
    eve, bob = (
        Holder(name, ("all",), issuer.token(sub=name, roles=["all"])) for name in ("eve", "bob")
    )
    with words_server(model="*") as model:
        list_models(database, MODEL, address=model.address)
        release(database, MODEL)
        with GatewayProcess(
            log=folder / "log", settings=settings, environment=variables
        ) as process:
            gateway = Serving(process.port, database)
            with gateway.channel:
                wait_until(lambda: not gateway.call("Predict", _text(), bob).reason)
                bobs = {rpc: row.make(gateway, bob) for rpc, row in ROWS.items()}
                eves = {
                    rpc: requests(gateway, eve, rpc) for rpc in (*ROWS, HEALTH_WATCH, REFLECTION)
                }
                yield Street(gateway, eve, bob, bobs, eves)
    postgres.drop_database(database)


def _write_policy(folder: Path, issuer: Issuer) -> Path:
    (folder / "jwks.json").write_bytes(issuer.jwks())
    tokens = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": str(folder / "jwks.json")}
    everything = {str(permission): ["*"] for permission in Permission}
    access = policy(tokens, {"all": everything}, {})
    (folder / "access.json").write_text(json.dumps(access.as_json()))
    return folder / "access.json"


def _text() -> pb.PredictRequest:
    return pb.PredictRequest(model=MODEL, text="good")


Requests = Callable[[], AsyncIterator[Message]]


def requests(gateway: Serving, eve: Holder, rpc: str) -> Requests:
    """As much as one may send."""
    match rpc:
        case "BatchPredict":
            return once(pb.BatchPredictRequest(model=MODEL, entries=[{"text": "good"}] * 256))
        case "BatchAttachLabels":  # of which each has to wait for those before it
            id_ = gateway.predict(eve).id
            return once(feedback.BatchAttachLabelsRequest(requests=[attach(id_)] * 1000))
        case "WaitPrediction" | "WatchPrediction":  # of one that nobody finishes
            return once(ROWS[rpc].request(accepted(gateway, eve)))
        case "StreamPredict":
            return without_end(ROWS[rpc].request(MODEL))
        case _ if rpc == HEALTH_WATCH:
            return once(HealthCheckRequest())
        case _ if rpc == REFLECTION:
            return without_end(ServerReflectionRequest(list_services=""))
        case _:
            return once(ROWS[rpc].request(ROWS[rpc].make(gateway, eve)))


def once(request: Message) -> Requests:
    async def send() -> AsyncIterator[Message]:
        yield request

    return send


def without_end(request: Message) -> Requests:
    async def send() -> AsyncIterator[Message]:
        for one in repeat(request):
            yield one

    return send


@asynccontextmanager
async def flood(street: Street, rpc: str) -> AsyncIterator[Counter[grpc.StatusCode]]:
    """Inside, Eve asks without end; how her calls end. It begins with the first that has."""
    path = f"/{METHODS[rpc].containing_service.full_name}/{rpc}" if rpc in METHODS else rpc
    send, codes = street.eves[rpc], Counter[grpc.StatusCode]()
    begun, over = asyncio.Event(), asyncio.Event()

    async def ask(call: Any) -> None:
        while not over.is_set():
            made = call(send(), metadata=street.eve.metadata)
            try:
                async for _ in made:
                    pass
            except grpc.aio.AioRpcError:
                pass
            codes[await made.code()] += 1
            begun.set()

    async with grpc.aio.insecure_channel(street.gateway.address) as channel:
        call: Any = channel.stream_stream(
            path, request_serializer=lambda one: one.SerializeToString()
        )
        asking = [asyncio.create_task(ask(call)) for _ in range(EVES_CALLS)]
        try:
            async with asyncio.timeout(PATIENCE_S):
                await begun.wait()
            yield codes
        finally:
            over.set()
            for one in asking:
                one.cancel()
            await asyncio.wait(asking)
    for one in asking:
        assert one.cancelled() or one.exception() is None


@pytest.mark.parametrize("rpc", [*ROWS, HEALTH_WATCH, REFLECTION])
async def test_one_who_asks_without_end_keeps_no_other_from_anything(
    street: Street, rpc: str
) -> None:
    async with flood(street, rpc) as codes:
        await street.is_answered(*ROWS)
        with grpc.insecure_channel(street.gateway.address) as channel:
            stub: Any = HealthStub(channel)
            watch = stub.Watch(HealthCheckRequest(), metadata=street.bob.metadata)
            assert (await asyncio.to_thread(next, watch)).status
            watch.cancel()
    if rpc in LASTING:
        assert codes[grpc.StatusCode.RESOURCE_EXHAUSTED]


async def test_one_whose_lists_are_slow_keeps_no_other_from_anything(street: Street) -> None:
    """While nobody can read labels."""
    looks_at_no_labels = ["ListReleases", "ListReferences", "ListQualityMetrics", "SetTraffic"]
    with street.gateway.database.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE labels IN ACCESS EXCLUSIVE MODE")
        async with flood(street, "ListLabels") as codes:
            await street.is_answered(*looks_at_no_labels)
    assert codes[grpc.StatusCode.RESOURCE_EXHAUSTED]
