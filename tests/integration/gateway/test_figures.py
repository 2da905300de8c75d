"""What the gateway tells Prometheus after real calls, and that clients add no series."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from predict.v1.prediction_service_pb2 import CreatePredictionRequest, PredictRequest

from tests.integration.gateway.whole import WholeGateway, list_models, release
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.words_process import WordsProcess

TEXTS = "pmesh_predictions_total"


@pytest.fixture
def words() -> Iterator[WordsProcess]:
    with WordsProcess() as server:
        yield server


@pytest.fixture
def gateway(database: Database, tmp_path: Path, words: WordsProcess) -> Iterator[WholeGateway]:
    list_models(database, "words", address=words.address)
    release(database, "words")
    with WholeGateway(database, tmp_path) as gateway:
        wait_until(lambda: gateway.readyz() == (200, []))
        yield gateway


def of(gateway: WholeGateway, name: str, *shown: str) -> dict[tuple[str, ...], float]:
    """The values of a metric by some of its labels."""
    return {
        tuple(dict(labels)[label] for label in shown): value
        for (found, labels), value in gateway.metrics().items()
        if found == name
    }


def test_texts_are_counted_by_model_version_protocol_and_outcome(gateway: WholeGateway) -> None:
    with gateway.stub() as stub:
        stub.Predict(PredictRequest(model="words", text="good"))
        stub.CreatePrediction(CreatePredictionRequest(model="words", text="good"))
        for wrong in (
            PredictRequest(model="no-such", text="good"),
            PredictRequest(model="words", version="99", text="good"),
            PredictRequest(model="words", text="poison"),
        ):
            with pytest.raises(grpc.RpcError):
                stub.Predict(wrong)
    gateway.request("POST", "/v1/models/words:predict", {"text": "good"})
    told = of(gateway, TEXTS, "model", "version", "protocol", "outcome")
    assert {labels: count for labels, count in told.items() if count} == {
        ("words", "1", "grpc", "succeeded"): 1,
        ("words", "1", "grpc", "accepted"): 1,
        ("", "", "grpc", "MODEL_NOT_FOUND"): 1,
        ("words", "", "grpc", "VERSION_NOT_FOUND"): 1,
        ("words", "1", "grpc", "MODEL_FAILED"): 1,
        ("words", "1", "rest", "succeeded"): 1,
    }


def test_faults_count_from_zero_for_what_has_traffic(gateway: WholeGateway) -> None:
    told = of(gateway, TEXTS, "model", "version", "protocol", "outcome")
    assert told == {
        ("words", "1", protocol, outcome): 0
        for protocol in ("grpc", "rest")
        for outcome in (
            *("succeeded", "MODEL_UNAVAILABLE", "INTERNAL", "STORE_UNAVAILABLE"),
            *("DEADLINE_EXCEEDED", "OVERLOADED"),
        )
    }


def test_stages_batches_and_commits_are_measured(gateway: WholeGateway) -> None:
    for _ in range(3):
        gateway.predict("good")
    stages = of(gateway, "pmesh_prediction_stage_seconds_count", "model", "version", "stage")
    assert stages == {("words", "1", stage): 3 for stage in ("wait", "infer", "record")}
    assert of(gateway, "pmesh_inference_batch_size_sum", "model", "version") == {("words", "1"): 3}
    assert of(gateway, "pmesh_commit_rows_sum", "statement")[("finished",)] == 3
    assert of(gateway, "pmesh_commit_seconds_count", "statement")[("finished",)] == 3
    assert of(gateway, "pmesh_model_ready", "model", "version") == {("words", "1"): 1}
    assert of(gateway, "pmesh_traffic_share", "model", "version") == {("words", "1"): 1}
    assert of(gateway, "pmesh_store_available") == {(): 1}
    used, limit = (of(gateway, f"pmesh_capacity_{name}", "resource") for name in ("used", "limit"))
    assert (
        used.keys()
        == limit.keys()
        == {
            (name,)
            for name in (
                *("connections", "calls_waiting", "rows_waiting"),
                *("spool_bytes", "database_connections"),
            )
        }
    )
    assert all(used[name] <= limit[name] for name in used)
    assert of(gateway, "pmesh_http_requests_total", "code_class")[("2xx",)] >= 3
    assert of(gateway, "process_resident_memory_bytes")[()] > 0
    assert of(gateway, "pmesh_event_loop_lag_seconds_count").keys() == {()}


def test_a_histogram_names_a_trace_that_is_recorded(
    database: Database, tmp_path: Path, words: WordsProcess
) -> None:
    list_models(database, "words", address=words.address)
    release(database, "words")
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    with WholeGateway(database, tmp_path, away) as gateway, gateway.stub() as stub:
        wait_until(lambda: gateway.readyz() == (200, []))
        stub.Predict(
            PredictRequest(model="words", text="good"),
            metadata=(("traceparent", f"00-{trace_id}-b7ad6b7169203331-01"),),
        )
        answer = httpx.get(
            f"http://127.0.0.1:{gateway.metrics_port}/metrics",
            headers={"accept": "application/openmetrics-text"},
            trust_env=False,
        )
    told = [line for line in answer.text.splitlines() if f'trace_id="{trace_id}"' in line]
    assert {line.partition("{")[0] for line in told} == {
        "rpc_server_call_duration_seconds_bucket",
        "pmesh_prediction_stage_seconds_bucket",
        "pmesh_commit_seconds_bucket",
    }
    staged = [line for line in told if line.startswith("pmesh_prediction_stage_seconds")]
    assert {
        stage for stage in ("wait", "infer", "record") if f'stage="{stage}"' in str(staged)
    } == {*("wait", "infer", "record")}


def test_nothing_is_told_nor_counted_at_port_0(
    database: Database, tmp_path: Path, words: WordsProcess
) -> None:
    list_models(database, "words", address=words.address)
    release(database, "words")
    off = {"PMESH_GATEWAY_METRICS_PORT": "0"}
    with WholeGateway(database, tmp_path, off) as gateway:
        wait_until(lambda: gateway.readyz() == (200, []))
        assert gateway.predict("good").prediction.output.label == "positive"
        with pytest.raises(OSError, match="refused"):
            gateway.metrics()
