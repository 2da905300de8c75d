"""The traces of predictions that are made later, as a real receiver gets them."""

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from bus.events import Envelope
from contract.ids import uuid7
from database.logins import RELAY
from telemetry.trace_context import TraceContext, new_span_id, new_trace_id
from tests.integration.model_runtime.conftest import StartWorker
from tests.integration.model_runtime.requests import Exchange
from tests.integration.relay.process import Relay
from tests.parts.bus_probe import Bus
from tests.parts.catalog import environment, set_version
from tests.parts.exposed import exposed
from tests.parts.oip_server import OipServer
from tests.parts.otlp_receiver import OtlpReceiver, ReceivedSpan, receiving_spans
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import Database

SENDS, ASKED, ANSWERED = (
    "send predict-events",
    "process predict-sentiment",
    "process predict-gateway",
)
VERSION = "12"


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with receiving_spans() as receiver:
        yield receiver


@pytest.fixture
def theirs(database: Database, requests: Exchange) -> Iterator[OipServer]:
    """A server that keeps what it is asked with, for version 12."""

    def neutral(texts: list[str]) -> dict[str, np.ndarray]:
        return {"scores": np.array([[0.25, 0.5, 0.25]] * len(texts), np.float32)}

    with OipServer(neutral, model="sentiment", version=VERSION, declares=False) as theirs:
        set_version(database, VERSION, address=theirs.address)
        yield theirs


def a_trace(*, sampled: bool = True) -> TraceContext:
    return TraceContext(new_trace_id(), new_span_id(), sampled)


def relay(database: Database, bus: Bus, **variables: str) -> Relay:
    return Relay({**environment(database, RELAY), **bus.environment, **variables})


def test_all_that_becomes_of_a_request_that_is_alone_is_one_trace(
    start_worker: StartWorker,
    requests: Exchange,
    database: Database,
    bus: Bus,
    receiver: OtlpReceiver,
) -> None:
    trace = a_trace()
    completions = bus.watch("job_completed")
    told: list[dict[str, object]] = []
    with relay(database, bus, **receiver.environment):
        start_worker(**receiver.environment)
        (prediction_id,) = requests.accept_traced(trace.traceparent)
        wait_until(lambda: bool(told.extend(bus.receive(completions)) or told))
        wait_until(lambda: len(receiver.of_trace(trace.trace_id)) == 9)
    bus.unwatch(completions)
    spans = {span.span_id: span for span in receiver.of_trace(trace.trace_id)}

    def parent(span: ReceivedSpan) -> str:
        if span.parent_id == trace.span_id:
            return "the client"
        above = spans[span.parent_id]
        return f"{above.service}: {above.name}"

    assert sorted((parent(s), f"{s.service}: {s.name}") for s in spans.values()) == sorted(
        [
            ("the client", f"relay: {SENDS}"),
            (f"relay: {SENDS}", f"worker: {ASKED}"),
            (f"worker: {ASKED}", "worker: claim requests"),
            (f"worker: {ASKED}", "worker: infer sentiment"),
            (f"worker: {ASKED}", "worker: put features"),
            (f"worker: {ASKED}", f"worker: {SENDS}"),
            (f"worker: {SENDS}", f"relay: {ANSWERED}"),
            (f"relay: {ANSWERED}", "relay: finish requests"),
            (f"relay: {ANSWERED}", f"relay: {SENDS}"),
        ]
    )
    (last,) = (s for s in spans.values() if s.attributes.get("pmesh.event") == "job_completed")
    attributes = told[0]["MessageAttributes"]
    assert isinstance(attributes, dict)
    completion = TraceContext(trace.trace_id, last.span_id, True)
    assert attributes["traceparent"]["StringValue"] == completion.traceparent
    (process,) = (span for span in spans.values() if span.name == ASKED)
    assert process.attributes.pop("messaging.message.id")
    assert process.attributes == {
        "messaging.system": "aws_sqs",
        "messaging.destination.name": "predict-sentiment",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "pmesh.prediction.id": prediction_id,
        "pmesh.model": "sentiment",
        "pmesh.version": "1",
        "pmesh.attempt": 1,
    }
    assert not any(span.failed for span in spans.values())


def test_a_batch_has_links_to_those_of_it_that_are_recorded(
    start_worker: StartWorker, requests: Exchange, theirs: OipServer, receiver: OtlpReceiver
) -> None:
    sampled = [a_trace() for _ in range(3)]
    traces = [a_trace(sampled=False), *sampled]
    ids = requests.accept_traced(*(trace.traceparent for trace in traces), version=VERSION)
    requests.publish(*ids)
    start_worker(**receiver.environment)
    requests.wait_for_answers(ids)
    receiver.wait_for("infer sentiment")
    wait_until(lambda: len(receiver.named(ASKED)) == 3)
    asked = {(span.trace_id, span.span_id) for span in receiver.named(ASKED)}
    assert {trace_id for trace_id, _ in asked} == {trace.trace_id for trace in sampled}
    (infer,) = receiver.named("infer sentiment")
    assert {(infer.trace_id, infer.parent_id), *infer.links} == asked
    assert len(infer.links) == 2
    context = TraceContext(infer.trace_id, infer.span_id, True)
    assert theirs.headers[-1]["traceparent"] == context.traceparent


def test_what_is_not_recorded_names_no_trace_to_its_server(
    start_worker: StartWorker, requests: Exchange, theirs: OipServer, receiver: OtlpReceiver
) -> None:
    trace = a_trace(sampled=False)
    ids = requests.accept_traced(trace.traceparent, version=VERSION)
    requests.publish(*ids)
    worker = start_worker(**receiver.environment)
    requests.wait_for_answers(ids)
    assert worker.stop() == 0
    assert all("traceparent" not in headers for headers in theirs.headers)
    assert receiver.of_trace(trace.trace_id) == []


def test_a_second_delivery_has_a_link_to_the_first(
    start_worker: StartWorker, requests: Exchange, theirs: OipServer, receiver: OtlpReceiver
) -> None:
    theirs.stop()
    trace = a_trace()
    ids = requests.accept_traced(trace.traceparent, version=VERSION)
    requests.publish(*ids)
    start_worker(**receiver.environment)
    receiver.wait_for(ASKED)
    (first,) = receiver.named(ASKED)
    theirs.start()
    requests.wait_for_answers(ids)
    wait_until(lambda: any(not span.failed for span in receiver.named(ASKED)))
    (second,) = (span for span in receiver.named(ASKED) if not span.failed)
    assert (first.trace_id, first.parent_id, first.links) == (*trace[:2], ())
    assert (second.trace_id, second.parent_id) == trace[:2]
    assert second.links == ((trace.trace_id, first.span_id),)
    assert first.failed
    assert first.attributes["error.type"] == "Away"


@pytest.mark.parametrize("traceparent", ["no traceparent", "00-" + 4000 * "f", "00-0-0-01"])
def test_a_message_with_a_bad_traceparent_is_served_all_the_same(
    start_worker: StartWorker,
    requests: Exchange,
    bus: Bus,
    receiver: OtlpReceiver,
    traceparent: str,
) -> None:
    (prediction_id,) = requests.accept_traced("")
    body = f'{{"eventId": "{uuid7()}", "predictionId": "{prediction_id}", "model": "sentiment"}}'
    bus.publish_envelope(
        Envelope(uuid7(), "inference_request", "sentiment", "1", body, traceparent)
    )
    start_worker(**receiver.environment)
    requests.wait_for_answers([prediction_id])
    receiver.wait_for(ASKED)
    (asked,) = receiver.named(ASKED)
    assert (asked.parent_id, asked.links, asked.failed) == ("", (), False)
    assert all(traceparent.encode() not in body for body in receiver.bodies)


def test_nothing_waits_for_a_receiver_that_is_away(
    start_worker: StartWorker, requests: Exchange, database: Database, bus: Bus
) -> None:
    nowhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with ExitStack() as stack:
        stack.enter_context(relay(database, bus, **nowhere))
        worker = start_worker(**nowhere)
        requests.accept_traced(*(a_trace().traceparent for _ in range(50)))
        wait_until(lambda: requests.states()["SUCCEEDED"] == 50)
        wait_until(lambda: worker.log.count("spans do not arrive") == 1)


def test_a_trace_that_is_recorded_lies_beside_what_was_timed(
    start_worker: StartWorker,
    requests: Exchange,
    database: Database,
    bus: Bus,
    receiver: OtlpReceiver,
) -> None:
    trace = a_trace()
    of_relay, of_worker = exposed(), exposed()
    told_by_relay = {"PMESH_RELAY_METRICS_PORT": str(of_relay.port)}
    with relay(database, bus, **receiver.environment, **told_by_relay):
        start_worker(**receiver.environment, PMESH_WORKER_METRICS_PORT=str(of_worker.port))
        requests.accept_traced(trace.traceparent, a_trace(sampled=False).traceparent)
        wait_until(lambda: requests.states()["SUCCEEDED"] == 2)
        wait_until(lambda: "messaging_process_duration_seconds_bucket" in of_worker.traces())
        wait_until(lambda: "pmesh_request_seconds_bucket" in of_relay.traces())
        told, process = of_worker.traces(), "messaging_process_duration_seconds_bucket"
        finished = of_relay.traces()
    assert told["pmesh_worker_stage_seconds_bucket"] == told[process] == {trace.trace_id}
    assert finished["pmesh_request_seconds_bucket"] == {trace.trace_id}


def test_what_is_cut_off_has_an_end(
    start_worker: StartWorker, requests: Exchange, receiver: OtlpReceiver
) -> None:
    (id_,) = requests.send("sleep 8")
    worker = start_worker(**receiver.environment, PMESH_WORKER_FINISH_S="1")
    requests.wait_until_running(id_)
    assert worker.stop() == 0
    assert "work in flight was cut off" in worker.log
    receiver.wait_for(ASKED)


def test_a_worker_that_sends_no_spans_hands_the_trace_on(
    start_worker: StartWorker, requests: Exchange, bus: Bus
) -> None:
    trace = a_trace()
    ids = requests.accept_traced(trace.traceparent)
    requests.publish(*ids)
    start_worker()
    answers: list[dict[str, object]] = []
    wait_until(lambda: bool(answers.extend(bus.receive("predict-gateway")) or answers))
    attributes = answers[0]["MessageAttributes"]
    assert isinstance(attributes, dict)
    assert attributes["traceparent"]["StringValue"] == trace.traceparent


def test_a_line_of_the_log_says_what_it_is_about(
    start_worker: StartWorker, requests: Exchange, theirs: OipServer
) -> None:
    theirs.stop()
    trace = a_trace()
    ids = requests.accept_traced(trace.traceparent, version=VERSION)
    requests.publish(*ids)
    worker = start_worker(PMESH_LOG_FORMAT="json")
    wait_until(lambda: "given back" in worker.log)
    given_back = next(line for line in worker.log.splitlines() if "given back" in line)
    assert ids[0] in given_back
    assert trace.trace_id in given_back
