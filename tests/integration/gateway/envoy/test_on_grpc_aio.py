"""The servicers need no server of ours: on grpc.aio behind Envoy they answer as in the gateway."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import grpc
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc import code_pb2
from predict.v1 import model_service_pb2 as models
from predict.v1 import prediction_service_pb2 as pb
from predict.v1.model_pb2 import TrafficTarget
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from database.logins import GATEWAY
from gateway.envoy.front import Front
from tests.integration.gateway.envoy.aio_gateway import aio_gateway
from tests.integration.gateway.envoy.asking import Ask, by_grpc, by_rest
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.parts import catalog
from tests.parts.ports import free_port
from tests.parts.postgres import Postgres
from tests.parts.words import POISON
from tests.parts.words_server import LABELS, MODEL, VERSION, words_server

TIMEOUT_S = 20.0
UNKNOWN = "01900000-0000-7000-8000-000000000000"


class Host(NamedTuple):
    """One of the two, by both doors."""

    grpc: Ask
    rest: Ask
    predictions: PredictionServiceStub


@pytest.fixture(scope="module")
def hosts(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Host, Host]]:
    """The gateway, and its servicers on grpc.aio, on one database and one server of models."""
    database = postgres.create_database()
    folder = tmp_path_factory.mktemp("gateway")
    port, admin, other_port, other_admin = (free_port() for _ in range(4))
    with pytest.MonkeyPatch.context() as patch, words_server() as server:
        catalog.register(
            database, {MODEL: [VERSION]}, address=server.address, labels={MODEL: LABELS}
        )
        for name, value in catalog.environment(database, GATEWAY).items():
            patch.setenv(name, value)
        patch.setenv("PMESH_FEATURES_SPOOL", str(folder / "spool"))
        ours = GatewayProcess(log=folder / "log", settings=Front(port=port, admin_port=admin))
        with ours, _host(port) as gateway:
            patch.setenv("PMESH_FEATURES_SPOOL", str(folder / "other"))
            shares = [TrafficTarget(version=VERSION, percent=100)]
            gateway.grpc(models.SetTrafficRequest(model=MODEL, traffic=shares), TIMEOUT_S)
            settings = Front(port=other_port, admin_port=other_admin)
            with aio_gateway(settings, folder), _host(other_port) as plain:
                yield gateway, plain
    postgres.drop_database(database)


@contextmanager
def _host(port: int) -> Iterator[Host]:
    with (
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield Host(by_grpc(channel), by_rest(client), PredictionServiceStub(channel))


def test_a_prediction_is_made_recorded_and_found_by_either(hosts: tuple[Host, Host]) -> None:
    gateway, plain = hosts
    for ask in (plain.grpc, plain.rest):
        answer = ask(pb.PredictRequest(model=MODEL, text="a good day"), TIMEOUT_S)
        made = answer.message.prediction
        assert made.output.label == "negative"
        for other in (gateway.grpc, gateway.rest, plain.grpc, plain.rest):
            found = other(pb.GetPredictionRequest(id=made.id), TIMEOUT_S).message.prediction
            assert found == made


def test_streams_answer_each_text_in_turn(hosts: tuple[Host, Host]) -> None:
    texts = ["good", POISON, "bad", ""]
    requests = [
        pb.StreamPredictRequest(request=pb.PredictRequest(model=MODEL, text=text)) for text in texts
    ]
    said = []
    for host in hosts:
        answers = list(host.predictions.StreamPredict(iter(requests), timeout=TIMEOUT_S))
        said.append([(a.prediction.output.label, a.error) for a in answers])
    assert said[0] == said[1]
    assert [label for label, _ in said[1]] == ["positive", "", "negative", ""]


def test_a_watch_ends_with_the_terminal_state(hosts: tuple[Host, Host]) -> None:
    _, plain = hosts
    created = plain.rest(pb.CreatePredictionRequest(model=MODEL, text="good"), TIMEOUT_S)
    prediction_id = created.message.prediction.id
    states = plain.predictions.WatchPrediction(pb.WatchPredictionRequest(id=prediction_id))
    next(states)
    plain.grpc(pb.CancelPredictionRequest(id=prediction_id), TIMEOUT_S)
    (last,) = states
    assert last.prediction.id == prediction_id


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (pb.PredictRequest(model=MODEL, text=""), code_pb2.INVALID_ARGUMENT),
        (pb.PredictRequest(model="nosuch", text="x"), code_pb2.NOT_FOUND),
        (pb.PredictRequest(model=MODEL, text=POISON), code_pb2.INTERNAL),
        (pb.PredictRequest(model=MODEL, text="x", version="99"), code_pb2.NOT_FOUND),
        (pb.GetPredictionRequest(id="7"), code_pb2.INVALID_ARGUMENT),
        (pb.GetPredictionRequest(id=UNKNOWN), code_pb2.NOT_FOUND),
        (pb.WatchPredictionRequest(id=UNKNOWN), code_pb2.NOT_FOUND),
        (pb.CancelPredictionRequest(id=UNKNOWN), code_pb2.NOT_FOUND),
        (pb.DeletePredictionRequest(id=UNKNOWN), code_pb2.NOT_FOUND),
        (models.GetModelRequest(model="nosuch"), code_pb2.NOT_FOUND),
    ],
    ids=lambda value: f"{value.DESCRIPTOR.name} {value}" if isinstance(value, Message) else "",
)
def test_errors_are_the_same(hosts: tuple[Host, Host], request_: Message, code: int) -> None:
    gateway, plain = hosts
    expected = gateway.grpc(request_, TIMEOUT_S).status
    assert expected.code == code
    for ask in (gateway.rest, plain.grpc, plain.rest):
        # As JSON: the bytes of a detail have its metadata in any order.
        assert MessageToDict(ask(request_, TIMEOUT_S).status) == MessageToDict(expected)
