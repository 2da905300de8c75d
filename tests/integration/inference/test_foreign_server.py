"""The whole path with a version that a server of others answers for: Envoy, gateway, MLServer.

Version 1 is answered for by a plain server of ours, which has features; version 2 by MLServer,
whose address the catalog names.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import psycopg
import pytest
from google.rpc import code_pb2
from predict.v1.prediction_pb2 import Prediction

from database.logins import GATEWAY
from gateway.envoy.front import Front
from rollout.store import ReleaseStore
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.integration.inference.asking import with_poison
from tests.integration.inference.gateway_calls import Gateway, Refused, reason
from tests.parts import catalog
from tests.parts.foreign.servers import MODEL, MlServer
from tests.parts.oip_server import OipServer
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import Database, Postgres
from tests.parts.words import LABELS, POISON
from tests.parts.words_server import words_server

OURS, THEIRS = "1", "2"
MAX_INFERENCE_S = 2.0

pytestmark = pytest.mark.timeout(300)  # the first run installs MLServer


class Mesh(NamedTuple):
    """What runs."""

    database: Database
    process: GatewayProcess
    grpc: Gateway
    ours: OipServer
    theirs: MlServer

    def recorded(self, *ids: str) -> list[dict[str, Any]]:
        """The rows of predictions."""
        with self.database.connect() as connection:
            return connection.execute(
                "SELECT r.id::text, version, text, state::text, label, scores, features_uri"
                " FROM requests r LEFT JOIN predictions p USING (id)"
                " WHERE r.id = ANY (%s::uuid[]) ORDER BY r.id",
                [list(ids)],
            ).fetchall()


@pytest.fixture(scope="module")
def mesh(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    database = postgres.create_database()
    directory = tmp_path_factory.mktemp("foreign")
    (directory / "mlserver").mkdir()
    with words_server() as ours, MlServer(directory / "mlserver", version=THEIRS) as theirs:
        catalog.register(
            database, {MODEL: [OURS, THEIRS]}, address=ours.address, labels={MODEL: LABELS}
        )
        with psycopg.connect(database.conninfo, autocommit=True) as connection:
            ReleaseStore(connection).set_version(MODEL, THEIRS, "SERVING", address=theirs.address)
        with pytest.MonkeyPatch.context() as patch, _gateway(patch, database, directory) as process:
            with grpc.insecure_channel(f"127.0.0.1:{process.port}") as channel:
                yield Mesh(database, process, Gateway(channel, MODEL), ours, theirs)
            assert POISON not in process.log, "texts never appear in logs"
    postgres.drop_database(database)


def _gateway(patch: pytest.MonkeyPatch, database: Database, directory: Path) -> GatewayProcess:
    port, admin_port, metrics_port = free_port(), free_port(), free_port()
    environment = catalog.environment(database, GATEWAY) | {
        "PMESH_FEATURES_SPOOL": str(directory / "spool"),
        "PMESH_GATEWAY_METRICS_PORT": str(metrics_port),
        "PMESH_GATEWAY_MAX_INFERENCE_S": str(MAX_INFERENCE_S),
    }
    for name, value in environment.items():
        patch.setenv(name, value)
    return GatewayProcess(
        log=directory / "gateway.log", settings=Front(port=port, admin_port=admin_port)
    )


def test_a_text_by_grpc_is_answered_with_a_label_and_recorded(mesh: Mesh) -> None:
    made = mesh.grpc.predict("what a good day", version=THEIRS)
    assert (made.version, made.output.label, made.output.confidence) == (THEIRS, "negative", 0.75)
    assert dict(made.output.scores) == {"negative": 0.75, "positive": 0.25}
    assert made.output.value == 0.25
    (row,) = mesh.recorded(made.id)
    assert (row["version"], row["state"], row["label"]) == (THEIRS, "SUCCEEDED", "negative")
    assert row["scores"] == {"negative": 0.75, "positive": 0.25}


def test_a_text_by_rest_is_answered_with_a_label_and_recorded(mesh: Mesh) -> None:
    body = {"text": "happy happy", "version": THEIRS}
    answer = mesh.process.request("POST", f"/v1/models/{MODEL}:predict", body)
    assert answer.status == 200, answer.body
    made = answer.json
    assert (made["version"], made["output"]["label"]) == (THEIRS, "positive")
    (row,) = mesh.recorded(made["id"])
    assert (row["version"], row["label"], row["text"]) == (THEIRS, "positive", "happy happy")


def test_only_a_version_with_features_is_recorded_with_their_place(mesh: Mesh) -> None:
    ours, theirs = (mesh.grpc.predict("fine", version=version) for version in (OURS, THEIRS))
    assert theirs.features_uri == ""
    assert ours.features_uri.startswith("s3://")
    assert [row["features_uri"] for row in mesh.recorded(ours.id, theirs.id)] == [
        ours.features_uri,
        "",
    ]


def test_traffic_is_split_between_a_server_of_ours_and_one_of_others(mesh: Mesh) -> None:
    split = {"traffic": [{"version": OURS, "percent": 50}, {"version": THEIRS, "percent": 50}]}
    answer = mesh.process.request("POST", f"/v1/models/{MODEL}:setTraffic", split)
    assert answer.status == 200, answer.body
    wait_until(lambda: mesh.grpc.predict("good").version in (OURS, THEIRS))
    mesh.ours.calls.clear()
    made = [mesh.grpc.predict(f"good {number}") for number in range(60)]
    by_version = Counter(prediction.version for prediction in made)
    assert set(by_version) == {OURS, THEIRS}
    asked_of_ours = [text for call in mesh.ours.calls for text in call]
    assert asked_of_ours == [p.text for p in made if p.version == OURS]
    rows = {row["id"]: row["version"] for row in mesh.recorded(*(p.id for p in made))}
    assert rows == {prediction.id: prediction.version for prediction in made}


def test_a_text_that_makes_the_model_fail_fails_alone(mesh: Mesh) -> None:
    results = mesh.grpc.predict_all(with_poison(24, 5, 17), version=THEIRS)
    errors = {n: result.error for n, result in enumerate(results) if result.HasField("error")}
    assert {number: reason(error) for number, error in errors.items()} == {
        5: "MODEL_FAILED",
        17: "MODEL_FAILED",
    }
    assert not any(POISON in str(error) for error in errors.values())
    answered = [result.prediction for result in results if result.HasField("prediction")]
    assert [row["state"] for row in mesh.recorded(*_ids(answered))] == ["SUCCEEDED"] * 22


def test_a_text_that_takes_too_long_is_given_up_and_others_are_answered_again(mesh: Mesh) -> None:
    with pytest.raises(Refused) as refused:
        mesh.grpc.predict(f"sleep {2 * MAX_INFERENCE_S}", version=THEIRS, timeout_s=1)
    assert refused.value.status.code == code_pb2.DEADLINE_EXCEEDED
    assert mesh.grpc.predict("fine", version=OURS).output.label == "positive"
    assert mesh.grpc.predict("fine", version=THEIRS).output.label == "positive"


def test_a_call_that_outlives_what_the_gateway_waits_for_is_given_up(mesh: Mesh) -> None:
    with pytest.raises(Refused) as refused:
        mesh.grpc.predict(f"sleep {2 * MAX_INFERENCE_S}", version=THEIRS)
    assert reason(refused.value.status) == "DEADLINE_EXCEEDED"
    assert mesh.grpc.predict("fine", version=THEIRS).output.label == "positive"


def test_a_server_that_is_away_is_unavailable_and_found_again(mesh: Mesh) -> None:
    mesh.theirs.stop()
    with pytest.raises(Refused) as refused:
        mesh.grpc.predict("good", version=THEIRS)
    assert reason(refused.value.status) == "MODEL_UNAVAILABLE"
    assert mesh.grpc.predict("good", version=OURS).output.label == "positive"
    mesh.theirs.start()
    wait_until(lambda: _answers(mesh))


def _answers(mesh: Mesh) -> bool:
    try:
        return bool(mesh.grpc.predict("good", version=THEIRS).output.label)
    except Refused:
        return False


def _ids(predictions: list[Prediction]) -> list[str]:
    return [prediction.id for prediction in predictions]
