"""What the relay writes later goes on in the traces of its requests."""

from collections.abc import Iterator
from typing import Any

import pytest

from telemetry.trace_context import TraceContext, new_span_id, new_trace_id
from tests.integration.relay.conftest import StartRelay
from tests.parts.bus_probe import Bus
from tests.parts.claims import answer
from tests.parts.otlp_receiver import OtlpReceiver, receiving_spans
from tests.parts.polling import wait_until
from tests.parts.requests import Requests

SENDS = "send predict-events"


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with receiving_spans() as receiver:
        yield receiver


@pytest.fixture
def completions(bus: Bus) -> Iterator[str]:
    queue = bus.watch("job_completed")
    yield queue
    bus.unwatch(queue)


def a_trace(*, sampled: bool = True) -> TraceContext:
    return TraceContext(new_trace_id(), new_span_id(), sampled)


def traceparent(message: dict[str, Any]) -> str:
    return str(message["MessageAttributes"].get("traceparent", {}).get("StringValue", ""))


def receive(bus: Bus, queue: str) -> dict[str, Any]:
    (message,) = bus.receive(queue, wait_s=20)
    return message


def test_a_request_that_is_published_again_stays_in_its_trace(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    trace = a_trace()
    requests.accept_traced(trace.traceparent)
    start_relay(rearm_after_s=0.1, sweep_s=0.1)
    told: list[dict[str, Any]] = []

    def has_come_again() -> bool:
        told.extend(bus.receive("predict-sentiment"))
        return len(told) > 1

    wait_until(has_come_again)
    assert {traceparent(message) for message in told} == {trace.traceparent}


@pytest.mark.parametrize("end", ["EXPIRED", "FAILED"])
def test_what_has_no_answer_is_told_of_in_its_trace(
    start_relay: StartRelay, requests: Requests, bus: Bus, completions: str, end: str
) -> None:
    trace = a_trace()
    (prediction_id,) = requests.accept_traced(trace.traceparent)
    requests.execute("DELETE FROM outbox")
    if end == "EXPIRED":
        requests.execute("UPDATE requests SET expire_time = now()")
    else:
        requests.execute(
            "UPDATE requests SET state = 'RUNNING', attempt = 5, lease_until = now(),"
            " publish_time = now() - interval '1 hour'"
        )
    start_relay(sweep_s=0.1)
    assert traceparent(receive(bus, completions)) == trace.traceparent
    assert requests.get(prediction_id)["state"] == end
    assert requests.get(prediction_id)["traceparent"] is None


@pytest.mark.parametrize("are_sealed_together", [False, True])
def test_a_completion_of_several_is_part_of_one_trace_and_has_links_to_the_others(
    start_relay: StartRelay,
    requests: Requests,
    bus: Bus,
    completions: str,
    receiver: OtlpReceiver,
    monkeypatch: pytest.MonkeyPatch,
    are_sealed_together: bool,
) -> None:
    sampled = [a_trace() for _ in range(3)]
    traces = [a_trace(sampled=False), *sampled]
    parents = {trace[:2] for trace in sampled}
    if are_sealed_together:
        for trace in traces:
            requests.execute(
                "INSERT INTO outbox (id, event, model, payload, traceparent, links)"
                " VALUES (uuidv7(), 'job_completed', 'sentiment', events_v1.job_completed("
                "'sentiment', now(), '[{}]'), %s, %s)",
                (trace.traceparent, [sampled[0].traceparent]),
            )
    else:
        ids = requests.accept_traced(*(trace.traceparent for trace in traces))
        requests.execute("DELETE FROM outbox")
        # Without traces of their own, as of a worker of before.
        bus.answer(*map(answer, requests.claim(ids).values()))
    for name, value in receiver.environment.items():
        monkeypatch.setenv(name, value)
    start_relay()
    message = receive(bus, completions)
    wait_until(lambda: receiver.named(SENDS) != [])
    (sent,) = receiver.named(SENDS)
    assert {(sent.trace_id, sent.parent_id), *sent.links} == parents
    assert len(sent.links) == 2
    assert traceparent(message) == TraceContext(sent.trace_id, sent.span_id, True).traceparent
    assert requests.query("SELECT FROM requests WHERE traceparent IS NOT NULL") == []


def test_a_row_with_a_bad_trace_is_published_all_the_same(
    start_relay: StartRelay, requests: Requests, bus: Bus, receiver: OtlpReceiver
) -> None:
    requests.accept_traced("CANARY" * 10_000)
    start_relay(aws=receiver.environment)
    assert traceparent(receive(bus, "predict-sentiment"))  # of a trace that begins here
    receiver.wait_for(SENDS)
    assert all(b"CANARY" not in body for body in receiver.bodies)
