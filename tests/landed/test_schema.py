"""The schema of this checkout under the programs that are there when it comes.

A migration runs while the programs of the release before it go on, and they go on after it until
they are replaced: expand first, contract a release later.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import psycopg
import pytest
from google.protobuf.duration_pb2 import Duration
from predict.v1 import model_service_pb2 as models
from predict.v1 import prediction_service_pb2 as pb
from predict.v1.model_pb2 import ReleaseAction, TrafficTarget
from predict.v1.model_service_pb2_grpc import ModelServiceStub
from predict.v1.prediction_pb2 import PredictionState
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from database.migrate import migrate
from tests.landed.release import Release, landed_commit, this_checkout, unpack
from tests.parts.aws import Aws
from tests.parts.bus_probe import Bus
from tests.parts.polling import wait_until
from tests.parts.ports import free_port, listens
from tests.parts.postgres import Database, Postgres
from tests.parts.words_server import LABELS, words_server

MODEL = "sentiment"
PASSWORD = "of-a-test"  # noqa: S105
LOGINS = {"gateway": ("gateway",), "relay": ("relay",), "rollout": ("rollout",)}
WORKER = {"worker": ("worker", MODEL)}
TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Release:
    commit = landed_commit()
    if not commit:
        pytest.skip("git knows no landed commit")
    return unpack(commit, tmp_path_factory.mktemp("landed"))


@pytest.fixture
def database() -> Iterator[Database]:
    """Without a schema."""
    with Postgres() as postgres:
        yield postgres.create_database(template="template1")


class Mesh:
    """Programs of a release, on a database and a bus, and the clients of its gateway."""

    def __init__(self, database: Database, bus: Bus, folder: Path, address: str) -> None:
        self.database = database
        self._bus = bus
        self._folder = folder
        self._address = address

    def prepare(self, release: Release) -> None:
        """Make its schema, its logins and two versions that serve."""
        release.run("database.migrate", variables=self.database.environment)
        release.run("database.roles", "groups", variables=self.database.environment)
        with self.database.connect() as connection:
            connection.execute(
                "INSERT INTO models (id, description, labels, address) VALUES (%s, '', %s, %s)",
                (MODEL, list(LABELS), self._address),
            )
            for version in ("1", "2"):
                connection.execute(
                    "INSERT INTO versions (model, version, state, labels)"
                    " VALUES (%s, %s, 'SERVING', %s)",
                    (MODEL, version, list(LABELS)),
                )
        for arguments in (LOGINS | WORKER).values():
            release.run(
                "database.roles",
                *arguments,
                variables=self.database.environment,
                stdin=f"{PASSWORD}\n",
            )

    def variables(self, login: str) -> dict[str, str]:
        """What a program of a release is told."""
        return {
            **self.database.environment,
            **self._bus.environment,
            "PGUSER": login,
            "PGPASSWORD": PASSWORD,
            "PMESH_MODEL": MODEL,
            "PMESH_RECEIVE_WAIT_S": "1",
            "PMESH_RELAY_RECEIVE_WAIT_S": "1",
        }

    @contextmanager
    def gateway(self, release: Release, name: str) -> Iterator["Clients"]:
        """A gateway of a release."""
        port = free_port()
        variables = {
            **self.variables("gateway"),
            "PMESH_GATEWAY_PORT": str(port),
            "PMESH_GATEWAY_ADMIN_PORT": str(free_port()),
            "PMESH_GATEWAY_METRICS_PORT": str(free_port()),
            "PMESH_FEATURES_SPOOL": str(self._folder / f"{name}-spool"),
        }
        with release.running("gateway.main", self._folder / f"{name}.log", variables):
            wait_until(lambda: listens(port))
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield Clients(channel)

    @contextmanager
    def programs(self, release: Release) -> Iterator["Clients"]:
        """All of a release that run on and on."""
        with ExitStack() as stack:
            for module, login in (("relay", "relay"), ("model_runtime", f"worker-{MODEL}")):
                log = self._folder / f"{module}.log"
                stack.enter_context(release.running(module, log, self.variables(login)))
            yield stack.enter_context(self.gateway(release, "landed"))


class Clients:
    """What clients ask of a gateway."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.predictions = PredictionServiceStub(channel)
        self.models = ModelServiceStub(channel)

    def predict(self, text: str = "good") -> str:
        request = pb.PredictRequest(model=MODEL, text=text)
        made = self.predictions.Predict(request, timeout=TIMEOUT_S, wait_for_ready=True)
        assert made.prediction.state == PredictionState.PREDICTION_STATE_SUCCEEDED
        return made.prediction.id

    def create(self, text: str = "good") -> str:
        request = pb.CreatePredictionRequest(model=MODEL, text=text)
        return self.predictions.CreatePrediction(request, timeout=TIMEOUT_S).prediction.id

    def finish(self, prediction_id: str) -> None:
        """Wait until relay and worker have seen to it."""
        wait = Duration()
        wait.FromTimedelta(timedelta(seconds=TIMEOUT_S))
        request = pb.WaitPredictionRequest(id=prediction_id, timeout=wait)
        done = self.predictions.WaitPrediction(request, timeout=2 * TIMEOUT_S).prediction
        assert done.state == PredictionState.PREDICTION_STATE_SUCCEEDED

    def set_traffic(self, **shares: int) -> None:
        targets = [TrafficTarget(version=v[1:], percent=share) for v, share in shares.items()]
        request = models.SetTrafficRequest(model=MODEL, traffic=targets)
        self.models.SetTraffic(request, timeout=TIMEOUT_S)

    def release(self, action: ReleaseAction) -> None:
        request = models.CreateReleaseRequest(model=MODEL, action=action)
        self.models.CreateRelease(request, timeout=TIMEOUT_S)

    def traffic(self) -> dict[str, int]:
        model = self.models.GetModel(models.GetModelRequest(model=MODEL), timeout=TIMEOUT_S).model
        return {target.version: target.percent for target in model.traffic}


@pytest.mark.timeout(300)
def test_the_programs_of_the_landed_release_go_on_while_the_schema_changes_and_after_it(
    landed: Release, database: Database, tmp_path: Path
) -> None:
    with Aws() as aws, words_server(model="*", says_version=False) as server:
        bus = Bus(aws)
        bus.provision()
        mesh = Mesh(database, bus, tmp_path, server.address)
        mesh.prepare(landed)
        with mesh.programs(landed) as clients:
            clients.set_traffic(v1=100)
            before = clients.create()
            with _asked_all_the_time(clients) as made:
                wait_until(lambda: len(made) > 20)
                migrate(database.conninfo)
                begun = len(made)
                wait_until(lambda: len(made) > begun + 20)
            clients.finish(before)
            _all_of_it_works(clients)
            with mesh.gateway(this_checkout(), "this") as ours:
                _knows(ours, made[0])
                _knows(clients, ours.predict())
                clients.finish(ours.create())


def _all_of_it_works(clients: Clients) -> None:
    clients.finish(clients.create())
    _knows(clients, clients.predict())
    slow = clients.create("sleep 3")
    cancelled = clients.predictions.CancelPrediction(pb.CancelPredictionRequest(id=slow))
    assert cancelled.prediction.state == PredictionState.PREDICTION_STATE_CANCELLED
    listed = clients.predictions.ListPredictions(pb.ListPredictionsRequest(model=MODEL))
    assert slow in {prediction.id for prediction in listed.predictions}

    clients.set_traffic(v1=90, v2=10)
    wait_until(lambda: clients.traffic() == {"1": 90, "2": 10})
    clients.release(ReleaseAction.RELEASE_ACTION_PROMOTE)
    wait_until(lambda: clients.traffic() == {"2": 100})
    clients.release(ReleaseAction.RELEASE_ACTION_ROLLBACK)
    wait_until(lambda: clients.traffic() == {"1": 100})
    history = clients.models.ListReleases(models.ListReleasesRequest(model=MODEL)).releases
    assert len(history) == 4


def _knows(clients: Clients, prediction_id: str) -> None:
    found = clients.predictions.GetPrediction(pb.GetPredictionRequest(id=prediction_id))
    assert found.prediction.output.label == "positive"


@contextmanager
def _asked_all_the_time(clients: Clients) -> Iterator[list[str]]:
    """Within the block one call follows the other, and none may fail; the ids."""
    made: list[str] = []
    failures: list[Exception] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set() and not failures:
            try:
                made.append(clients.predict())
            except (grpc.RpcError, psycopg.Error, AssertionError) as error:
                failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join()
    assert failures == []
