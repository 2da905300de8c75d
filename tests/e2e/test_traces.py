"""One trace for a request through all hops, as a real receiver of OTLP gets it.

The stack records what its callers ask for: a traceparent whose flag says so. Without one, only what
fails or is slow is kept.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import grpc
import httpx
import pytest
from predict.v1.prediction_service_pb2 import (
    CreatePredictionRequest,
    CreatePredictionResponse,
    PredictRequest,
    PredictResponse,
    WaitPredictionRequest,
)

from bus.topology import PREFIX, Names
from telemetry.trace_context import TraceContext, new_span_id, new_trace_id
from tests.e2e.mesh import Mesh
from tests.e2e.pictures import draw
from tests.e2e.texts import new_text
from tests.parts.otlp_receiver import OtlpReceiver, ReceivedSpan
from tests.parts.polling import wait_until

SERVICE = "predict.v1.PredictionService"
NAMES = Names(PREFIX)
SEND, ANSWERED = f"send {NAMES.topic}", f"process {NAMES.gateway_queue}"
TAKEN = f"process {NAMES.model_queue('sentiment')}"
PREDICT = f"""\
envoy SERVER
  gateway SERVER {SERVICE}/Predict
    gateway CLIENT infer sentiment
      triton SERVER InferRequest
    gateway CLIENT insert requests
    gateway INTERNAL choose version
    gateway INTERNAL record
    gateway INTERNAL validate
    gateway INTERNAL wait for batch
    relay PRODUCER {SEND}"""
LATER = f"""\
envoy SERVER
  gateway SERVER {SERVICE}/CreatePrediction
    gateway CLIENT insert requests
    gateway INTERNAL choose version
    gateway INTERNAL validate
    relay PRODUCER {SEND}
      worker CONSUMER {TAKEN}
        worker CLIENT claim requests
        worker CLIENT infer sentiment
          triton SERVER InferRequest
        worker CLIENT put features
        worker PRODUCER {SEND}
          relay CONSUMER {ANSWERED}
            relay CLIENT finish requests
            relay PRODUCER {SEND}"""
SLOW_NS = 1e9
"""Beyond it a span is kept, whatever was asked for."""
BATCH = 24


def traced(*, sampled: bool = True) -> TraceContext:
    """A client's own span."""
    return TraceContext(new_trace_id(), new_span_id(), sampled)


def predict_by_grpc(mesh: Mesh, trace: TraceContext, *, timeout_s: float = 30) -> PredictResponse:
    request = PredictRequest(model="sentiment", text=new_text())
    metadata = [("traceparent", trace.traceparent)]
    answer: PredictResponse = mesh.predictions.Predict(
        request, metadata=metadata, timeout=timeout_s
    )
    return answer


def predict_by_rest(mesh: Mesh, trace: TraceContext) -> None:
    mesh.rest.client.post(
        "/v1/models/sentiment:predict",
        json={"text": new_text()},
        headers={"traceparent": trace.traceparent},
    ).raise_for_status()


def create(mesh: Mesh, trace: TraceContext, text: str = "") -> str:
    """Accepted to be done later; its id."""
    answer: CreatePredictionResponse = mesh.predictions.CreatePrediction(
        CreatePredictionRequest(model="sentiment", text=text or new_text()),
        metadata=[("traceparent", trace.traceparent)],
        timeout=30,
    )
    return answer.prediction.id


def check_picture(spans: OtlpReceiver, trace: TraceContext, picture: str) -> None:
    """Until all spans have come that are in it, and then nothing else."""

    def drawn() -> str:
        return draw(spans.of_trace(trace.trace_id), above=trace.span_id)

    with suppress(AssertionError):  # the picture says more
        wait_until(lambda: drawn() == picture)
    assert drawn() == picture


@pytest.mark.parametrize("predict", [predict_by_grpc, predict_by_rest])
def test_a_prediction_that_is_alone_is_one_trace(
    mesh: Mesh, spans: OtlpReceiver, predict: Callable[[Mesh, TraceContext], object]
) -> None:
    trace = traced()
    predict(mesh, trace)
    check_picture(spans, trace, PREDICT)


def test_a_prediction_made_later_is_one_trace_to_its_completion(
    mesh: Mesh, spans: OtlpReceiver
) -> None:
    trace = traced()
    create(mesh, trace)
    check_picture(spans, trace, LATER)


def test_spans_say_what_they_are_about_by_ids_and_names(mesh: Mesh, spans: OtlpReceiver) -> None:
    trace = traced()
    prediction_id = create(mesh, trace)
    check_picture(spans, trace, LATER)
    said = {(span.service, span.name): span.attributes for span in spans.of_trace(trace.trace_id)}
    call = said["gateway", f"{SERVICE}/CreatePrediction"]
    assert call["rpc.system.name"] == "grpc"
    assert call["rpc.method"] == f"{SERVICE}/CreatePrediction"
    assert call["pmesh.prediction.id"] == prediction_id
    assert (call["pmesh.model"], call["pmesh.version"]) == ("sentiment", "1")
    sent = said["worker", SEND]
    assert sent["messaging.system"] == "aws.sns"
    assert sent["messaging.destination.name"] == NAMES.topic
    taken = said["worker", TAKEN]
    assert taken["messaging.system"] == "aws_sqs"
    assert taken["messaging.destination.name"] == NAMES.model_queue("sentiment")
    assert taken["messaging.message.id"]
    for service, name in (("gateway", "insert requests"), ("worker", "claim requests")):
        assert said[service, name]["db.system.name"] == "postgresql"


def under_way(mesh: Mesh) -> float:
    """Calls of Predict that the gateway has taken and not answered."""
    metrics = httpx.get(f"http://127.0.0.1:{mesh.ports['gateway-metrics']}/metrics").text
    active = re.search(rf'^rpc_server_active_calls{{.*{SERVICE}/Predict".*}} (.*)$', metrics, re.M)
    return float(active[1]) if active else 0


def covered(batch: ReceivedSpan) -> set[str]:
    """The traces that a span belongs to."""
    return {batch.trace_id, *(trace_id for trace_id, _ in batch.links)}


def check_batches(
    spans: OtlpReceiver, service: str, name: str, traces: Sequence[TraceContext]
) -> None:
    """Each is in one batch, with others; links lead to spans of their traces that there are."""
    wanted = {trace.trace_id for trace in traces}

    def batches() -> list[ReceivedSpan]:
        found = (span for span in spans.named(name) if span.service == service)
        return [batch for batch in found if covered(batch) & wanted]

    wait_until(lambda: set().union(*map(covered, batches())) >= wanted)
    assert sum(len(covered(batch)) for batch in batches()) == len(wanted)
    assert len(batches()) < len(wanted)
    wait_until(lambda: links_lead_somewhere(spans, batches()))


def links_lead_somewhere(spans: OtlpReceiver, batches: Sequence[ReceivedSpan]) -> bool:
    known = {(span.trace_id, span.span_id) for span in list(spans.spans)}
    return all(link in known for batch in batches for link in batch.links)


def test_a_batch_is_part_of_its_first_request_and_linked_to_the_others(
    mesh: Mesh, spans: OtlpReceiver
) -> None:
    traces = [traced() for _ in range(BATCH)]
    with ThreadPoolExecutor(BATCH) as clients:
        with mesh.stopped("triton"):
            calls = [clients.submit(predict_by_grpc, mesh, trace) for trace in traces]
            wait_until(lambda: under_way(mesh) == BATCH)
        for call in calls:
            call.result()
    for name in ("infer sentiment", "insert requests"):
        check_batches(spans, "gateway", name, traces)
    mine = {trace.trace_id for trace in traces}
    inferred = {span.span_id for span in spans.named("infer sentiment") if span.trace_id in mine}
    wait_until(lambda: inferred <= {span.parent_id for span in spans.named("InferRequest")})


def test_work_for_later_is_batched_in_the_same_way(mesh: Mesh, spans: OtlpReceiver) -> None:
    traces = [traced() for _ in range(BATCH)]
    with mesh.stopped("worker-sentiment"):
        for trace in traces:
            create(mesh, trace)
    for name in ("claim requests", "infer sentiment"):
        check_batches(spans, "worker", name, traces)


def test_a_message_that_comes_again_is_linked_to_its_first_delivery(
    mesh: Mesh, spans: OtlpReceiver
) -> None:
    trace, text = traced(), f"once {new_text()}"
    place = "inference.server:ModelServer.infer:before"
    with mesh.fault("worker-sentiment", place, text=text) as fault:
        prediction_id = create(mesh, trace, text)
        wait = WaitPredictionRequest(id=prediction_id)
        wait.timeout.FromSeconds(100)
        mesh.predictions.WaitPrediction(wait, timeout=110)
        assert fault.deaths == 1  # with the span of the first delivery, which nobody gets to see
    wait_until(lambda: TAKEN in {span.name for span in spans.of_trace(trace.trace_id)})
    (again,) = (span for span in spans.of_trace(trace.trace_id) if span.name == TAKEN)
    message = again.attributes["messaging.message.id"]
    first = hashlib.sha256(f"{message}/1".encode()).hexdigest()[:16]
    assert again.links == ((trace.trace_id, first),)


def test_of_what_nobody_asks_for_only_errors_and_slow_ones_are_kept(
    mesh: Mesh, spans: OtlpReceiver
) -> None:
    well, late, asked = traced(sampled=False), traced(sampled=False), traced()
    predict_by_grpc(mesh, well)
    with mesh.stopped("triton"):
        with pytest.raises(grpc.RpcError) as refused:
            predict_by_grpc(mesh, late, timeout_s=2.5)
        # The gateway's time is over a little later than the client's.
        spans.wait_for(f"{SERVICE}/Predict", trace_id=late.trace_id)
    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    predict_by_grpc(mesh, asked)
    check_picture(spans, asked, PREDICT)  # sent after the others
    assert all(span.end_ns - span.start_ns > SLOW_NS for span in spans.of_trace(well.trace_id))
    # It is kept for its length: the haste is its own.
    kept = [span for span in spans.of_trace(late.trace_id) if span.service == "gateway"]
    assert "DEADLINE_EXCEEDED" in {s.attributes.get("rpc.response.status_code") for s in kept}
    assert "triton" not in {span.service for span in spans.of_trace(late.trace_id)}


def test_what_is_slow_is_kept_though_it_ends_well(mesh: Mesh, spans: OtlpReceiver) -> None:
    slow = traced(sampled=False)
    with mesh.stopped("triton"):
        clients = threading.Thread(target=predict_by_grpc, args=(mesh, slow))
        clients.start()
        clients.join(1.5)
    clients.join(100)
    spans.wait_for(f"{SERVICE}/Predict", trace_id=slow.trace_id)
    kept = next(s for s in spans.of_trace(slow.trace_id) if s.name == f"{SERVICE}/Predict")
    assert not kept.failed
    assert kept.end_ns - kept.start_ns > SLOW_NS
