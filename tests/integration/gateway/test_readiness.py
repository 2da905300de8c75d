"""What the gateway says of itself while the parts behind it come and go."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import psycopg
import pytest
from google.rpc import code_pb2, error_details_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_status import rpc_status
from predict.v1.prediction_service_pb2 import PredictRequest

from gateway.app import SERVICES
from tests.integration.gateway.whole import (
    MODELS,
    NOT_SERVING,
    PREDICTIONS,
    SERVING,
    WholeGateway,
    list_models,
    release,
)
from tests.parts.issuer import AUDIENCE, ISSUER, Issuer, serving
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import Database, Postgres
from tests.parts.words_process import WordsProcess

NOTHING = (200, [])


@pytest.fixture
def words() -> Iterator[WordsProcess]:
    with WordsProcess() as server:
        yield server


def refusal(gateway: WholeGateway, model: str = "words") -> tuple[int, str, float]:
    """Code, reason and delay of a Predict that is refused."""
    with pytest.raises(grpc.RpcError) as raised:
        gateway.predict("good", model, timeout_s=5)
    status = rpc_status.from_call(raised.value)
    assert status is not None
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(retry)
    return status.code, info.reason, retry.retry_delay.ToTimedelta().total_seconds()


def test_a_gateway_without_models_is_ready(database: Database, tmp_path: Path) -> None:
    with WholeGateway(database, tmp_path) as gateway:
        wait_until(lambda: gateway.readyz() == NOTHING)
        assert [gateway.status(name) for name in ("", PREDICTIONS, MODELS)] == [SERVING] * 3


def test_a_model_is_there_once_it_is_released(
    database: Database, tmp_path: Path, words: WordsProcess
) -> None:
    list_models(database, "words", address=words.address)
    with WholeGateway(database, tmp_path) as gateway, gateway.health() as health:
        wait_until(lambda: gateway.status(MODELS) == SERVING)
        assert gateway.readyz() == (503, [PREDICTIONS, "models/words"])
        assert gateway.why() == "MODEL_UNAVAILABLE"
        assert gateway.request("GET", "/healthz").status == 200
        assert refusal(gateway) == (code_pb2.UNAVAILABLE, "MODEL_NOT_RELEASED", 5)
        by_rest = gateway.request("POST", "/v1/models/words:predict", {"text": "good"})
        assert (by_rest.status, by_rest.reason) == (503, "MODEL_NOT_RELEASED")

        watch = health.Watch(HealthCheckRequest(service="models/words"), timeout=20)
        assert next(watch).status == NOT_SERVING
        release(database, "words")
        assert next(watch).status == SERVING
        watch.cancel()
        assert gateway.readyz() == NOTHING
        assert gateway.predict("good").prediction.output.label == "positive"


def test_a_model_that_is_not_in_the_catalog_is_unknown(
    database: Database, tmp_path: Path, words: WordsProcess
) -> None:
    list_models(database, "words", address=words.address)
    with WholeGateway(database, tmp_path) as gateway, gateway.health() as health:
        for service in ("models/other", "models/", "words", "predict.v1.Other"):
            with pytest.raises(grpc.RpcError) as raised:
                health.Check(HealthCheckRequest(service=service))
            assert raised.value.code() is grpc.StatusCode.NOT_FOUND
        watch = health.Watch(HealthCheckRequest(service="models/words"), timeout=20)
        assert next(watch).status == NOT_SERVING
        with psycopg.connect(database.conninfo, autocommit=True) as connection:
            connection.execute("UPDATE models SET listed = false WHERE id = 'words'")
        assert next(watch).status == HealthCheckResponse.SERVICE_UNKNOWN
        watch.cancel()


@pytest.mark.parametrize("is_silent", [True, False], ids=["silent", "dead"])
def test_a_server_that_is_away_is_known_and_comes_back_by_itself(
    database: Database, tmp_path: Path, words: WordsProcess, is_silent: bool
) -> None:
    list_models(database, "words", address=words.address)
    release(database, "words")
    with WholeGateway(database, tmp_path) as gateway:
        wait_until(lambda: gateway.readyz() == NOTHING)
        if is_silent:
            words.send(signal.SIGSTOP)
        else:
            words.kill()
        wait_until(lambda: gateway.status("models/words") == NOT_SERVING)
        assert gateway.readyz() == (503, [PREDICTIONS, "models/words"])
        assert [gateway.status(name) for name in (PREDICTIONS, MODELS)] == [NOT_SERVING, SERVING]
        assert gateway.request("GET", "/healthz").status == 200
        for _ in range(3):  # without a look at the server, which would take its time
            assert refusal(gateway) == (code_pb2.UNAVAILABLE, "MODEL_UNAVAILABLE", 1)
        if is_silent:
            words.send(signal.SIGCONT)
        else:
            words.start()
        wait_until(lambda: gateway.readyz() == NOTHING)
        assert gateway.predict("good").prediction.output.label == "positive"


def test_what_waits_for_a_server_is_refused_when_it_is_known_to_be_away(
    database: Database, tmp_path: Path, words: WordsProcess
) -> None:
    list_models(database, "words", address=words.address)
    release(database, "words")
    with WholeGateway(database, tmp_path) as gateway, gateway.stub() as stub:
        gateway.predict("good")
        words.send(signal.SIGSTOP)
        # The first one is with the server; the second waits for it.
        calls = [stub.Predict.future(PredictRequest(model="words", text="good"), timeout=20)]
        time.sleep(0.3)
        calls.append(stub.Predict.future(PredictRequest(model="words", text="good"), timeout=20))
        assert calls[1].code() is grpc.StatusCode.UNAVAILABLE
        calls[0].cancel()


def test_one_model_that_is_away_leaves_the_others_in_service(
    database: Database, tmp_path: Path, words: WordsProcess
) -> None:
    list_models(database, "words", "other", address=words.address)
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute("UPDATE models SET address = 'localhost:1' WHERE id = 'other'")
    for model in ("words", "other"):
        release(database, model)
    with WholeGateway(database, tmp_path) as gateway:
        wait_until(lambda: gateway.readyz() == (200, ["models/other"]))
        assert gateway.status(PREDICTIONS) == SERVING
        assert gateway.status("models/other") == NOT_SERVING
        assert refusal(gateway, "other") == (code_pb2.UNAVAILABLE, "MODEL_UNAVAILABLE", 1)
        assert gateway.predict("good").prediction.output.label == "positive"


def test_a_busy_server_is_not_away(database: Database, tmp_path: Path, words: WordsProcess) -> None:
    list_models(database, "words", address=words.address)
    release(database, "words")
    with WholeGateway(database, tmp_path) as gateway:
        wait_until(lambda: gateway.readyz() == NOTHING)
        answers: list[str] = []

        def ask() -> None:
            answers.append(gateway.predict("sleep 9").prediction.output.label)

        call = threading.Thread(target=ask)
        call.start()
        while call.is_alive():
            assert gateway.readyz() == NOTHING
            time.sleep(0.1)
        assert answers == ["negative"]


def test_a_database_that_is_away_is_known_and_comes_back_by_itself(
    database: Database, postgres: Postgres, tmp_path: Path, words: WordsProcess
) -> None:
    list_models(database, "words", address=words.address)
    release(database, "words")
    with WholeGateway(database, tmp_path) as gateway:
        wait_until(lambda: gateway.readyz() == NOTHING)
        postgres.stop_immediately()
        try:
            wait_until(lambda: gateway.readyz() == (503, list(SERVICES)))
            assert gateway.why() == "STORE_UNAVAILABLE"
            assert gateway.status("models/words") == SERVING
            assert gateway.request("GET", "/healthz").status == 200
        finally:
            postgres.start()
        wait_until(lambda: gateway.readyz() == NOTHING)


def test_a_silent_database_is_known(database: Database, postgres: Postgres, tmp_path: Path) -> None:
    with WholeGateway(database, tmp_path) as gateway:
        wait_until(lambda: gateway.readyz() == NOTHING)
        assert gateway.why() == ""
        with postgres.silent():
            wait_until(lambda: gateway.status() == NOT_SERVING)
        wait_until(lambda: gateway.readyz() == NOTHING)


def test_a_gateway_without_keys_of_tokens_is_not_ready_until_it_had_some(
    database: Database, tmp_path: Path
) -> None:
    issuer, port, access = Issuer(), free_port(), tmp_path / "access.json"
    jwks = f"http://127.0.0.1:{port}/jwks.json"
    tokens = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": jwks}
    access.write_text(json.dumps({"tokens": tokens, "roles": {"operator": {"observe": ["*"]}}}))
    token = {"authorization": f"Bearer {issuer.token(roles=['operator'])}"}
    with WholeGateway(database, tmp_path, access=access, keys_refresh_s=0.2) as gateway:
        assert gateway.request("GET", "/readyz").json == {
            "ready": False,
            "reason": "KEYS_UNAVAILABLE",
            "notReady": list(SERVICES),
        }
        assert [gateway.status(name) for name in ("", *SERVICES)] == [NOT_SERVING] * (
            1 + len(SERVICES)
        )
        assert gateway.request("GET", "/healthz").status == 200
        assert gateway.request("GET", "/v1/models", headers=token).reason == "KEYS_UNAVAILABLE"
        with serving(issuer, port=port):
            wait_until(lambda: gateway.readyz() == NOTHING)
            wait_until(lambda: gateway.request("GET", "/v1/models", headers=token).status == 200)
            issuer.status, asked = 503, issuer.asked
            wait_until(lambda: issuer.asked >= asked + 2)
            assert gateway.readyz() == NOTHING


def test_readyz_is_read_only(database: Database, tmp_path: Path) -> None:
    with WholeGateway(database, tmp_path) as gateway:
        assert gateway.request("POST", "/readyz", {}).status == 405
        assert gateway.request("GET", "/readyz/sentiment").status == 404
        wait_until(lambda: gateway.request("HEAD", "/readyz").status == 200)
