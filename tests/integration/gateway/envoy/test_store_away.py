"""What clients are told while PostgreSQL is away, by gRPC and REST, from the whole gateway."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import grpc
import httpx
import psycopg
import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2
from predict.v1 import model_service_pb2 as models
from predict.v1 import prediction_service_pb2 as pb
from predict.v1.model_pb2 import TrafficTarget

from contract.ids import uuid7
from contract.status import error_info
from database.logins import GATEWAY
from gateway.envoy.front import Front
from tests.integration.gateway.envoy.asking import Ask, by_grpc, by_rest
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.parts import catalog
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import Database, Postgres
from tests.parts.words_server import LABELS, MODEL, VERSION, words_server

TIMEOUT_S = 8.0
"""Less than the gateway gives a call that has no deadline: nobody is kept until then."""


class Mesh(NamedTuple):
    database: Database
    doors: Sequence[Ask]


@pytest.fixture(scope="module")
def mesh(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    database = postgres.create_database()
    directory = tmp_path_factory.mktemp("gateway")
    port, admin_port, metrics_port = free_port(), free_port(), free_port()
    with pytest.MonkeyPatch.context() as patch, words_server() as server:
        catalog.register(
            database, {MODEL: [VERSION]}, address=server.address, labels={MODEL: LABELS}
        )
        environment = catalog.environment(database, GATEWAY)
        variables = {
            **environment,
            "PMESH_FEATURES_SPOOL": str(directory),
            "PMESH_GATEWAY_METRICS_PORT": str(metrics_port),
        }
        for name, value in variables.items():
            patch.setenv(name, value)
        with (
            GatewayProcess(log=directory / "log", settings=Front(port=port, admin_port=admin_port)),
            grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        ):
            mesh = Mesh(database, (by_grpc(channel), by_rest(client)))
            assert mesh.doors[0](requests()["SetTraffic"], TIMEOUT_S).status.code == code_pb2.OK
            yield mesh
    postgres.drop_database(database)


def requests() -> dict[str, Message]:
    """One of each rpc that reads or writes the record."""
    return {
        "Predict": pb.PredictRequest(model=MODEL, text="good"),
        "CreatePrediction": pb.CreatePredictionRequest(model=MODEL, text="good"),
        "GetPrediction": pb.GetPredictionRequest(id=uuid7()),
        "ListPredictions": pb.ListPredictionsRequest(),
        "WaitPrediction": pb.WaitPredictionRequest(id=uuid7()),
        "WatchPrediction": pb.WatchPredictionRequest(id=uuid7()),
        "CancelPrediction": pb.CancelPredictionRequest(id=uuid7()),
        "DeletePrediction": pb.DeletePredictionRequest(id=uuid7()),
        "SetTraffic": models.SetTrafficRequest(
            model=MODEL, traffic=[TrafficTarget(version=VERSION, percent=100)]
        ),
        "ListReleases": models.ListReleasesRequest(model=MODEL),
    }


def all_are_unavailable(mesh: Mesh) -> None:
    for door in mesh.doors:
        for rpc, request in requests().items():
            status = door(request, TIMEOUT_S).status
            assert status.code == code_pb2.UNAVAILABLE, (rpc, status)
            assert error_info(status).reason == "STORE_UNAVAILABLE"
            retry = error_details_pb2.RetryInfo()
            assert any(detail.Unpack(retry) for detail in status.details)
            assert retry.retry_delay.seconds == 1


def all_are_answered(mesh: Mesh) -> None:
    for door in mesh.doors:
        for rpc, request in requests().items():
            code = door(request, TIMEOUT_S).status.code
            assert code in (code_pb2.OK, code_pb2.NOT_FOUND), rpc


def test_a_server_that_is_gone_is_told_and_needs_no_restart_of_ours(
    mesh: Mesh, postgres: Postgres
) -> None:
    all_are_answered(mesh)
    postgres.stop_immediately()
    try:
        all_are_unavailable(mesh)
    finally:
        postgres.start()
    all_are_answered(mesh)


def test_a_silent_server_is_told_before_any_deadline(mesh: Mesh, postgres: Postgres) -> None:
    made = mesh.doors[0](requests()["Predict"], TIMEOUT_S).message.prediction
    with postgres.silent():
        all_are_unavailable(mesh)
    listing = requests()["ListPredictions"]
    wait_until(lambda: mesh.doors[0](listing, TIMEOUT_S).status.code == code_pb2.OK)
    all_are_answered(mesh)
    for door in mesh.doors:
        found = door(pb.GetPredictionRequest(id=made.id), TIMEOUT_S)
        assert found.message.prediction == made


def test_a_list_that_takes_too_long_is_refused_for_its_conditions(mesh: Mesh) -> None:
    with psycopg.connect(mesh.database.conninfo) as holder:
        holder.execute("LOCK TABLE requests")
        for door in mesh.doors:
            status = door(pb.ListPredictionsRequest(), 30).status
            assert status.code == code_pb2.FAILED_PRECONDITION
            assert error_info(status).reason == "LIST_TOO_BROAD"
            assert dict(error_info(status).metadata) == {"limit_s": "5"}
            assert len(status.details) == 1  # and no RetryInfo
