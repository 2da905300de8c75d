"""The gateway's spans of real calls, as a real receiver gets them."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import psycopg
import pytest
from predict.v1.prediction_service_pb2 import (
    BatchPredictEntry,
    BatchPredictRequest,
    CreatePredictionRequest,
    PredictRequest,
)

from telemetry.trace_context import new_span_id, new_trace_id
from tests.integration.gateway.whole import WholeGateway, list_models, release
from tests.parts.otlp_receiver import OtlpReceiver, ReceivedSpan, receiving_spans
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.words_process import WordsProcess

PREDICT = "predict.v1.PredictionService/Predict"
BATCH = "predict.v1.PredictionService/BatchPredict"
CREATE = "predict.v1.PredictionService/CreatePrediction"
TEXTS_BATCHED = ("pmesh_inference_batch_size_sum", (("model", "words"), ("version", "1")))
TEXTS_WAITING = ("pmesh_capacity_used", (("resource", "calls_waiting"),))


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with receiving_spans() as receiver:
        yield receiver


@pytest.fixture
def words() -> Iterator[WordsProcess]:
    with WordsProcess() as server:
        yield server


@pytest.fixture
def gateway(
    database: Database, tmp_path: Path, words: WordsProcess, receiver: OtlpReceiver
) -> Iterator[WholeGateway]:
    list_models(database, "words", address=words.address)
    release(database, "words")
    variables = {
        **receiver.environment,
        "PMESH_TRACES_SLOW_S": "60",
        "PMESH_GATEWAY_MAX_CALL_S": "100",
    }
    with WholeGateway(database, tmp_path, variables) as gateway:
        wait_until(lambda: gateway.readyz() == (200, []))
        yield gateway


def traceparent(trace_id: str, *, sampled: bool = True) -> tuple[tuple[str, str], ...]:
    flags = "01" if sampled else "00"
    return (("traceparent", f"00-{trace_id}-{new_span_id()}-{flags}"),)


def parents(spans: list[ReceivedSpan]) -> dict[str, str]:
    """The name of each span's parent; empty for those whose parent was not sent."""
    names = {span.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent_id, "") for span in spans if span.service != "envoy"}


def test_a_predict_that_is_alone_is_one_trace(
    gateway: WholeGateway, receiver: OtlpReceiver
) -> None:
    trace_id = new_trace_id()
    with gateway.stub() as stub:
        answer = stub.Predict(
            PredictRequest(model="words", text="good CANARY"), metadata=traceparent(trace_id)
        )
    receiver.wait_for(PREDICT, "record", "infer words", "insert requests", trace_id=trace_id)
    spans = receiver.of_trace(trace_id)
    found = parents(spans)
    del found[PREDICT]  # its parent is Envoy's
    assert found == {
        "validate": PREDICT,
        "choose version": PREDICT,
        "wait for batch": PREDICT,
        "infer words": PREDICT,
        "record": PREDICT,
        "insert requests": PREDICT,
    }
    whole = receiver.named(PREDICT)[0]
    assert whole.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": PREDICT,
        "rpc.response.status_code": "OK",
        "pmesh.protocol": "grpc",
        "pmesh.prediction.id": answer.prediction.id,
        "pmesh.model": "words",
        "pmesh.version": "1",
    }
    ours = [span for span in spans if span.service == "gateway"]
    assert all(whole.start_ns <= s.start_ns <= s.end_ns <= whole.end_ns for s in ours)
    assert all(b"CANARY" not in body for body in receiver.bodies)
    wait_until(lambda: any(span.service == "envoy" for span in receiver.of_trace(trace_id)))
    (ingress,) = (s for s in receiver.of_trace(trace_id) if s.service == "envoy")
    assert whole.parent_id == ingress.span_id
    delivered = ("pmesh_envoy_span_batches_total", (("outcome", "delivered"),))
    wait_until(lambda: gateway.metrics()[delivered] >= 1)


def covered(batch: ReceivedSpan) -> list[str]:
    """The traces of the calls in it."""
    return [batch.trace_id, *(trace_id for trace_id, _ in batch.links)]


def test_a_batch_links_to_the_calls_in_it(
    gateway: WholeGateway, receiver: OtlpReceiver, words: WordsProcess
) -> None:
    """The first one is alone; what comes while the model is at work on it goes together."""
    ids = [new_trace_id() for _ in range(6)]

    def predict(trace_id: str) -> None:
        with gateway.stub() as stub:
            stub.Predict(PredictRequest(model="words", text="good"), metadata=traceparent(trace_id))

    with ThreadPoolExecutor(len(ids)) as pool:
        words.send(signal.SIGSTOP)
        try:
            calls = [pool.submit(predict, ids[0])]
            wait_until(lambda: gateway.metrics().get(TEXTS_BATCHED) == 1)
            calls += [pool.submit(predict, trace_id) for trace_id in ids[1:]]
            wait_until(lambda: gateway.metrics()[TEXTS_WAITING] == len(ids) - 1)
        finally:
            words.send(signal.SIGCONT)
        for call in calls:
            call.result()
    wait_until(lambda: set().union(*map(covered, receiver.named("infer words"))) >= set(ids))
    wait_until(lambda: {span.trace_id for span in receiver.named(PREDICT)} >= set(ids))
    batches = sorted(receiver.named("infer words"), key=lambda batch: batch.start_ns)
    assert [sorted(covered(batch)) for batch in batches] == [[ids[0]], sorted(ids[1:])]
    assert [batch.attributes["pmesh.batch_size"] for batch in batches] == [1, len(ids) - 1]
    whole = {span.trace_id: span.span_id for span in receiver.named(PREDICT)}
    for batch in batches:
        assert batch.parent_id == whole[batch.trace_id]
        assert all(whole[trace_id] == span_id for trace_id, span_id in batch.links)


def test_what_is_not_sampled_is_not_sent_unless_it_fails(
    gateway: WholeGateway, receiver: OtlpReceiver, words: WordsProcess
) -> None:
    well, broken, batch = new_trace_id(), new_trace_id(), new_trace_id()
    good = PredictRequest(model="words", text="good")
    with gateway.stub() as stub:
        with pytest.raises(grpc.RpcError):  # a client's own fault is none of ours,
            stub.Predict(PredictRequest(model="no-such"), metadata=traceparent(well, sampled=False))
        with pytest.raises(grpc.RpcError):  # and so is a deadline that he made short
            stub.Predict(
                PredictRequest(model="words", text="sleep 0.5"),
                metadata=traceparent(well, sampled=False),
                timeout=0.2,
            )
        stub.Predict(good, metadata=traceparent(well, sampled=False))
        words.kill()
        with pytest.raises(grpc.RpcError):
            stub.Predict(good, metadata=traceparent(broken, sampled=False))
        entries = [BatchPredictEntry(text="good") for _ in range(2)]
        answer = stub.BatchPredict(
            BatchPredictRequest(model="words", entries=entries),
            metadata=traceparent(batch, sampled=False),
        )
        assert all(result.HasField("error") for result in answer.results)
    receiver.wait_for(PREDICT, "infer words", trace_id=broken)
    receiver.wait_for(BATCH, trace_id=batch)
    (kept,), (kept_batch,) = receiver.named(PREDICT), receiver.named(BATCH)
    assert (kept.trace_id, kept.failed) == (broken, True)
    assert kept.attributes["error.type"] == "UNAVAILABLE"
    assert parents(receiver.of_trace(broken))["infer words"] == PREDICT
    assert (kept_batch.trace_id, kept_batch.failed) == (batch, True)
    assert kept_batch.attributes["rpc.response.status_code"] == "OK"
    assert kept_batch.attributes["error.type"] == "MODEL_UNAVAILABLE"
    assert kept_batch.attributes["pmesh.version"] == "1"
    assert "pmesh.prediction.id" not in kept_batch.attributes
    assert not receiver.of_trace(well)


def test_what_is_made_later_hands_on_its_trace(
    gateway: WholeGateway, receiver: OtlpReceiver, database: Database
) -> None:
    trace_id, unsampled = new_trace_id(), new_trace_id()
    with gateway.stub() as stub:
        for one, sampled in ((trace_id, True), (unsampled, False)):
            stub.CreatePrediction(
                CreatePredictionRequest(model="words", text="good"),
                metadata=traceparent(one, sampled=sampled),
            )
    receiver.wait_for(CREATE, "insert requests", trace_id=trace_id)
    with psycopg.connect(database.conninfo) as connection:
        rows = connection.execute(
            "SELECT traceparent FROM outbox WHERE event = 'inference_request'"
        ).fetchall()
    (whole,) = receiver.named(CREATE)
    kept = {row[0][3:35]: row[0] for row in rows}
    assert kept[trace_id] == f"00-{trace_id}-{whole.span_id}-01"
    assert kept[unsampled].endswith("-00")
