"""What the gateway knows of a request, all the way: rows, events, the history, metrics."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import grpc
import httpx
import pytest
from predict.v1 import model_service_pb2, prediction_service_pb2
from predict.v1.model_service_pb2_grpc import ModelServiceStub
from predict.v1.prediction_pb2 import Prediction
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from database.logins import GATEWAY
from gateway.envoy.front import Front
from tests.integration.gateway.envoy.gateway_process import Answer, GatewayProcess
from tests.parts import catalog
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import Database, Postgres
from tests.parts.words_server import LABELS, MODEL, VERSION, words_server

CALLER = "x-forwarded-user"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Running(NamedTuple):
    database: Database
    process: GatewayProcess
    predictions: PredictionServiceStub
    models: ModelServiceStub
    metrics_port: int

    def predict(self, *, caller: str = "", rpc: str = "Predict", **fields: Any) -> Prediction:
        kind = getattr(prediction_service_pb2, f"{rpc}Request")
        metadata = ((CALLER, caller),) if caller else ()
        answer = getattr(self.predictions, rpc)(
            kind(**{"model": MODEL, "text": "good", **fields}), metadata=metadata, timeout=20
        )
        prediction: Prediction = answer.prediction
        return prediction

    def rows(self, sql: Any, *parameters: Any) -> list[dict[str, Any]]:
        with self.database.connect() as connection:
            return connection.execute(sql, parameters).fetchall()


@pytest.fixture(scope="module")
def running(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    database = postgres.create_database()
    directory = tmp_path_factory.mktemp("callers")
    port, admin_port, metrics_port = free_port(), free_port(), free_port()
    with words_server() as server, pytest.MonkeyPatch.context() as patch:
        catalog.register(
            database, {MODEL: [VERSION]}, address=server.address, labels={MODEL: LABELS}
        )
        environment = catalog.environment(database, GATEWAY) | {
            "PMESH_FEATURES_SPOOL": str(directory / "spool"),
            "PMESH_GATEWAY_CALLER_HEADER": CALLER,
            "PMESH_GATEWAY_METRICS_PORT": str(metrics_port),
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        settings = Front(port=port, admin_port=admin_port)
        log = Path(directory, "gateway.log")
        with (
            GatewayProcess(log=log, settings=settings) as process,
            grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            models = ModelServiceStub(channel)
            _set_traffic(models, ())
            ready = f"http://127.0.0.1:{port}/readyz"  # the gateway is told of it a moment later
            wait_until(lambda: httpx.get(ready, trust_env=False).is_success)
            yield Running(
                database,
                process,
                PredictionServiceStub(channel),
                models,
                metrics_port,
            )
    postgres.drop_database(database)


def _set_traffic(models: ModelServiceStub, metadata: tuple[tuple[str, str], ...]) -> None:
    request = model_service_pb2.SetTrafficRequest(model=MODEL, reason="a test")
    request.traffic.add(version=VERSION, percent=100)
    models.SetTraffic(request, metadata=metadata)


@pytest.mark.parametrize("rpc", ["Predict", "CreatePrediction"])
def test_a_request_id_belongs_to_its_caller(running: Running, rpc: str) -> None:
    request_id = str(uuid4())
    made = {
        caller: running.predict(caller=caller, rpc=rpc, request_id=request_id)
        for caller in ("", "ann", "bob")
    }
    assert len({prediction.id for prediction in made.values()}) == 3
    for caller, prediction in made.items():
        again = running.predict(caller=caller, rpc=rpc, request_id=request_id)
        assert again.id == prediction.id


def test_no_request_id_of_a_caller_without_a_name_is_another_callers(running: Running) -> None:
    request_id = str(uuid4())
    anns = running.predict(caller="ann", request_id=request_id)
    (row,) = running.rows("SELECT request_id::text AS key FROM request_ids WHERE id = %s", anns.id)
    assert running.predict(request_id=row["key"]).id != anns.id


@pytest.mark.parametrize("rpc", ["Predict", "CreatePrediction"])
def test_the_caller_is_recorded_with_the_request(running: Running, rpc: str) -> None:
    for caller in ("", "ann"):
        made = running.predict(caller=caller, rpc=rpc)
        (row,) = running.rows("SELECT caller FROM requests WHERE id = %s", made.id)
        assert row == {"caller": caller}


def test_the_history_names_who_moved_the_traffic(running: Running) -> None:
    _set_traffic(running.models, ((CALLER, "ann@example.com"),))
    _set_traffic(running.models, ())
    rows = running.rows("SELECT actor FROM releases WHERE model = %s ORDER BY id DESC", MODEL)
    assert [row["actor"] for row in rows[:2]] == ["api", "ann@example.com"]


@pytest.mark.parametrize(
    ("rpc", "path", "event"),
    [
        ("Predict", f"/v1/models/{MODEL}:predict", "job_completed"),
        ("CreatePrediction", f"/v1/models/{MODEL}/predictions", "inference_request"),
    ],
)
def test_an_event_has_the_trace_of_its_request(
    running: Running, rpc: str, path: str, event: str
) -> None:
    running.database.connect().execute("DELETE FROM outbox").connection.close()
    headers = {"traceparent": TRACE}
    assert running.process.request("POST", path, {"text": "good"}, headers).status == 200
    rows = running.rows("SELECT event, traceparent FROM outbox")
    assert rows == [{"event": event, "traceparent": TRACE}]
    running.predict(rpc=rpc)
    rows = running.rows("SELECT traceparent FROM outbox WHERE traceparent IS NULL")
    assert len(rows) == 1


def test_a_caller_twice_is_refused_by_rest_as_by_grpc(running: Running) -> None:
    answer = _rest(running, {CALLER: "a" * 300})
    assert (answer.status, answer.reason) == (400, "INVALID_CALLER")
    assert answer.json["details"][0]["metadata"] == {"header": CALLER}


def _rest(running: Running, headers: dict[str, str]) -> Answer:
    return running.process.request("POST", f"/v1/models/{MODEL}:predict", {"text": "good"}, headers)


def test_prometheus_reads_the_metrics_at_a_port_of_its_own(running: Running) -> None:
    running.predict()
    with httpx.Client(trust_env=False) as client:
        url = f"http://127.0.0.1:{running.metrics_port}/metrics"
        text = client.get(url).text
        assert 'rpc_method="predict.v1.PredictionService/Predict"' in text
        foreign = client.get(url, headers={"host": "metrics.evil.example.com"})
        assert foreign.status_code == httpx.codes.FORBIDDEN
    assert running.process.request("GET", "/metrics").status == httpx.codes.NOT_FOUND


def test_a_metrics_port_that_is_taken_is_told_in_one_line(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = catalog.environment(running.database, GATEWAY) | {
        "PMESH_FEATURES_SPOOL": str(tmp_path / "spool"),
        "PMESH_GATEWAY_METRICS_PORT": str(running.metrics_port),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Front(port=free_port(), admin_port=free_port())
    with GatewayProcess(log=tmp_path / "log", settings=settings) as process:
        assert process.process.wait(100) == 1
        told = f"the gateway cannot start: metrics at 127.0.0.1:{running.metrics_port}: "
        assert told in process.log
