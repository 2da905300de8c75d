"""`pmesh up --replicas`: what holds for one of each holds for several, side by side."""

import shutil
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from predict.v1 import model_service_pb2 as models
from predict.v1 import prediction_service_pb2 as predictions
from predict.v1.prediction_pb2 import PredictionState

from inference.addresses import endpoints
from inference.repository import RepositoryApi
from pmesh.stack.control import Stack
from pmesh.stack.ports import assign_ports
from tests.e2e.completions import Completions
from tests.e2e.mesh import IMPATIENT, Mesh
from tests.e2e.oracle import Oracle
from tests.e2e.shelf import NAME, Shelf
from tests.e2e.texts import new_text
from tests.e2e.workload import CLIENTS, Ask, asks, check_settled, load
from tests.parts.doors import Grpc
from training.training_run import training_run

pytestmark = pytest.mark.timeout(900)
"""The first one waits for two whole stacks, one of which trains the models."""

PARTS = {
    "gateway": ["gateway-1", "gateway-2"],
    "relay": ["relay-1", "relay-2"],
    "worker-genre": ["worker-genre-1", "worker-genre-2", "worker-genre-3"],
    "triton": ["triton-1", "triton-2"],
    "features": ["features-1", "features-2"],
}


@pytest.fixture(scope="module")
def several(mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A stack of its own, with the versions that the other one has trained."""
    home = tmp_path_factory.mktemp("replicas")
    port = assign_ports(home / "gateway-port", ["gateway"])["gateway"]
    stack = Stack(home / "home", gateway_port=port, replicas=True)
    stack.home.create()
    copy_registry(mesh.stack.home.path, stack.home.path)
    for part, environment in IMPATIENT.items():
        for name in PARTS.get(part, [part]):
            stack.set_environment(name, environment)
    try:
        stack.start()
        several = Mesh(stack)
        yield several
        several.close()
    finally:
        stack.stop()


def copy_registry(home: Path, other: Path) -> None:
    """The first versions, with the secrets that its webhooks are hidden with."""
    shutil.copy(home / "secrets.json", other)
    shutil.copytree(home / "mlflow", other / "mlflow", ignore=shutil.ignore_patterns("*.db*"))
    with (
        sqlite3.connect(home / "mlflow" / "mlflow.db") as live,
        sqlite3.connect(other / "mlflow" / "mlflow.db") as copy,
    ):
        live.backup(copy)
        # Without what other tests have registered, some of it broken.
        copy.executescript(
            "DELETE FROM registered_model_aliases;"
            "DELETE FROM model_version_tags WHERE version > 1;"
            "DELETE FROM model_versions WHERE version > 1"
        )


@pytest.fixture
def told(several: Mesh) -> Iterator[Completions]:
    """A subscriber to what is finished from now on."""
    completions = Completions(several.bus)
    yield completions
    completions.close()


@contextmanager
def doors(several: Mesh) -> Iterator[tuple[Grpc, Grpc]]:
    """Each gateway, past the balancer."""
    ports = [several.ports[name] for name in PARTS["gateway"]]
    one, other = (grpc.insecure_channel(f"127.0.0.1:{port}") for port in ports)
    with one, other:
        yield Grpc(one), Grpc(other)


@pytest.mark.parametrize("part", ["gateway-1", "relay-2", "worker-genre-3", "triton-2"])
def test_one_dies_under_load(several: Mesh, told: Completions, part: str) -> None:
    requests = asks(150)
    with load(several, requests):
        several.wait_ready(part, after=several.stack.kill(part))
    check_settled(several, Oracle(several), requests)
    told.check({ask.prediction_id: "SUCCEEDED" for ask in requests})
    if not part.startswith("gateway"):  # whoever had a call there must ask again
        assert [ask.refusals for ask in requests if ask.refusals] == []


@pytest.mark.parametrize("part", ["gateway-2", "triton-1"])
def test_one_that_ends_refuses_nobody(several: Mesh, part: str) -> None:
    requests = asks(200)
    with load(several, requests):
        several.wait_ready(part, after=several.stack.kill(part, signal.SIGTERM))
    assert [ask.refusals for ask in requests if ask.refusals] == []


def test_what_one_gateway_accepts_the_other_knows(several: Mesh) -> None:
    create = predictions.CreatePredictionRequest(model=NAME, text=new_text())
    with doors(several) as (one, other):
        accepted = one.call("CreatePrediction", create).message.prediction
        wait = predictions.WaitPredictionRequest(id=accepted.id)
        waited = other.call("WaitPrediction", wait).message.prediction
        assert waited.state == PredictionState.PREDICTION_STATE_SUCCEEDED
        assert waited.text == create.text


def test_one_request_at_both_gateways_at_once_is_one_prediction(several: Mesh) -> None:
    with doors(several) as both, ThreadPoolExecutor(2 * CLIENTS) as clients:
        for kind in (predictions.PredictRequest, predictions.CreatePredictionRequest):
            for _ in range(5):
                request = kind(model=NAME, text=new_text(), request_id=str(uuid4()))
                rpc = kind.DESCRIPTOR.name.removesuffix("Request")
                said = clients.map(
                    lambda door, rpc=rpc, request=request: door.call(rpc, request), both * CLIENTS
                )
                ids = {answer.message.prediction.id for answer in said}
                assert len(ids) == 1
                count = "SELECT count(*) FROM requests WHERE text = %s"
                assert several.query(count, (request.text,)) == [(1,)]


@contextmanager
def asking(several: Mesh) -> Iterator[list[Ask]]:
    """Ask now, all the time; what was asked, once each."""
    stop, asked = threading.Event(), list[Ask]()

    def ask() -> None:
        while not stop.is_set():
            asked.append(Ask(NAME, later=False))
            asked[-1].send(several)

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield asked
    finally:
        stop.set()
        for client in clients:
            client.join()


def registered_again(shelf: Shelf) -> str:
    """One more version of the first one's files; its number."""
    uri = shelf.environment["MLFLOW_TRACKING_URI"]
    with (
        tempfile.TemporaryDirectory() as scratch,
        training_run(tracking_uri=uri, model=NAME) as run,
    ):
        evaluation = shelf.registry.evaluation(NAME, "1", Path(scratch))
        run.log_evaluation(evaluation.parent)
        return run.register(shelf.artifact("1"), variant="model")


def test_a_release_goes_to_both_tritons_and_stays_there_without_a_dropped_call(
    several: Mesh,
) -> None:
    shelf = Shelf(several)
    version = registered_again(shelf)
    key = several.stack.home.secret("triton")
    servers = [RepositoryApi(one, key=key) for one in endpoints(several.triton)]
    with asking(several) as asked:
        shelf.pmesh("release", f"{NAME}@{version}")
        assert [server.versions(NAME) for server in servers] == [{"1", version}] * 2
        several.wait_ready("triton-1", after=several.stack.kill("triton-1"))
    assert [ask.refusals for ask in asked if ask.refusals] == []
    assert [server.versions(NAME) for server in servers] == [{"1", version}] * 2
    with doors(several) as both:
        for door in both:
            model = door.call("GetModel", models.GetModelRequest(model=NAME)).message.model
            assert [share.version for share in model.shares] == [version]
    shelf.close()


def test_commands_show_each(several: Mesh) -> None:
    shelf = Shelf(several)
    said = shelf.pmesh("status").stdout
    assert all(name in said for names in PARTS.values() for name in names)
    assert "balancer" in said
    assert shelf.pmesh("logs", "gateway-2").stdout
    shelf.close()
