"""The receiver of spans is away: nobody else waits or fails, and what is lost is counted."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from predict.v1.prediction_pb2 import PredictionState
from predict.v1.prediction_service_pb2 import (
    CreatePredictionRequest,
    PredictRequest,
    WaitPredictionRequest,
)
from prometheus_client.parser import text_string_to_metric_families

from telemetry.trace_context import TraceContext, new_span_id, new_trace_id
from tests.e2e.mesh import Mesh
from tests.e2e.texts import new_text
from tests.parts.otlp_receiver import OtlpReceiver
from tests.parts.polling import wait_until

CALLS = 50
PARTS = ("gateway", "relay", "worker-sentiment")
GONE, BACK = "spans do not arrive and are dropped", "spans arrive again"


def hang_up(spans: OtlpReceiver) -> None:
    spans.status = 0


def be_full(spans: OtlpReceiver) -> None:
    spans.status = 429


def be_overloaded(spans: OtlpReceiver) -> None:
    spans.status = 503


def read_and_say_nothing(spans: OtlpReceiver) -> None:
    spans.silent.set()


@pytest.fixture
def back(spans: OtlpReceiver) -> Iterator[Callable[[], None]]:
    """The receiver takes spans again, at the latest after the test."""

    def recover() -> None:
        spans.status = 200
        spans.silent.clear()

    yield recover
    recover()


def traceparent() -> str:
    return TraceContext(new_trace_id(), new_span_id(), True).traceparent


def predict(mesh: Mesh) -> None:
    """By both doors; each call is recorded."""
    text = new_text()
    said = [("traceparent", traceparent())]
    request = PredictRequest(model="sentiment", text=text)
    answer = mesh.predictions.Predict(request, metadata=said, timeout=30)
    assert answer.prediction.text == text
    mesh.rest.client.post(
        "/v1/models/sentiment:predict", json={"text": text}, headers=dict(said)
    ).raise_for_status()


def predict_later(mesh: Mesh) -> None:
    create = CreatePredictionRequest(model="sentiment", text=new_text())
    said = [("traceparent", traceparent())]
    accepted = mesh.predictions.CreatePrediction(create, metadata=said, timeout=30)
    wait = WaitPredictionRequest(id=accepted.prediction.id)
    wait.timeout.FromSeconds(100)
    done = mesh.predictions.WaitPrediction(wait, timeout=110).prediction
    assert done.state == PredictionState.PREDICTION_STATE_SUCCEEDED


def dropped(mesh: Mesh, part: str) -> float:
    """Spans that a part has lost, for whatever reason."""
    page = httpx.get(f"http://127.0.0.1:{mesh.ports['metrics']}/metrics", timeout=60).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "pmesh_spans_dropped_total" and sample.labels["part"] == part
    )


def lines(mesh: Mesh, part: str, words: str) -> int:
    """How often a part has said so."""
    return mesh.stack.home.log(part).read_text(errors="replace").count(words)


@pytest.mark.parametrize("fault", [hang_up, be_full, be_overloaded, read_and_say_nothing])
def test_nobody_waits_for_who_takes_spans(
    mesh: Mesh, spans: OtlpReceiver, back: Callable[[], None], fault: Callable[[OtlpReceiver], None]
) -> None:
    predict_later(mesh)
    wait_until(lambda: all(lines(mesh, p, GONE) == lines(mesh, p, BACK) for p in PARTS))
    lost = {part: dropped(mesh, part) for part in PARTS}
    told = {part: lines(mesh, part, GONE) for part in PARTS}
    fault(spans)
    for _ in range(CALLS):
        predict(mesh)
    predict_later(mesh)
    for part in PARTS:
        wait_until(lambda part=part: dropped(mesh, part) > lost[part])  # type: ignore[misc]
        assert lines(mesh, part, GONE) == told[part] + 1
    back()
    predict_later(mesh)
    for part in PARTS:
        wait_until(lambda part=part: lines(mesh, part, BACK) == told[part] + 1)  # type: ignore[misc]
