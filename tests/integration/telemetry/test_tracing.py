"""Spans of a program, as a real receiver gets them; and a receiver that is down, slow or full."""

from collections.abc import Iterator

import pytest

from telemetry import export
from telemetry.sent import Sent
from telemetry.spans import (
    MOST_LINKS,
    FinishedSpan,
    Kind,
    current,
    span,
    span_of_several,
    tracer,
)
from telemetry.trace_context import TraceContext, new_span_id, new_trace_id
from telemetry.tracing import tracing
from tests.parts.otlp_receiver import OtlpReceiver, receiving_spans
from tests.parts.polling import wait_until
from tests.parts.ports import free_port

SAMPLED = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)
UNSAMPLED = SAMPLED._replace(sampled=False)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with receiving_spans() as receiver:
        yield receiver


def counts(sent: Sent) -> dict[str, float]:
    return {
        sample.labels.get("reason", sample.name): sample.value
        for metric in sent.collect()
        for sample in metric.samples
    }


def test_a_span_arrives_with_its_parent_and_its_attributes(receiver: OtlpReceiver) -> None:
    with (
        tracing("relay", receiver.environment) as sent,
        span("send events", Kind.PRODUCER, parent=SAMPLED) as outer,
        span("PublishBatch", attributes={"messaging.batch.message_count": 3}),
    ):
        pass
    receiver.wait_for("send events", "PublishBatch")
    inner = receiver.named("PublishBatch")[0]
    outside = receiver.named("send events")[0]
    assert outer.context is not None
    assert (outside.trace_id, outside.parent_id) == (SAMPLED.trace_id, SAMPLED.span_id)
    assert (inner.trace_id, inner.parent_id) == (SAMPLED.trace_id, outer.context.span_id)
    assert inner.attributes == {"messaging.batch.message_count": 3}
    assert (outside.service, outside.kind, outside.failed) == ("relay", 4, False)
    assert outside.start_ns <= inner.start_ns <= inner.end_ns <= outside.end_ns
    assert counts(sent)["pmesh_spans_exported_total"] == 2


def test_what_fails_is_kept_though_its_trace_is_not_recorded(receiver: OtlpReceiver) -> None:
    with tracing("relay", receiver.environment):
        with span("well", parent=UNSAMPLED):
            pass
        with pytest.raises(OSError, match="CANARY"), span("broken", parent=UNSAMPLED):
            raise OSError("CANARY, which a client wrote")
    receiver.wait_for("broken")
    assert [found.name for found in receiver.spans] == ["broken"]
    assert receiver.spans[0].failed
    assert receiver.spans[0].attributes == {"error.type": "OSError"}
    assert all(b"CANARY" not in body for body in receiver.bodies)


def test_what_is_slow_is_kept(receiver: OtlpReceiver) -> None:
    with tracing("relay", {**receiver.environment, "PMESH_TRACES_SLOW_S": "0"}):
        with span("slow", parent=UNSAMPLED):
            pass
        receiver.wait_for("slow")


def test_so_many_of_a_second_are_kept_at_the_most(receiver: OtlpReceiver) -> None:
    environ = {**receiver.environment, "PMESH_TRACES_SLOW_S": "0", "PMESH_TRACES_KEPT_PER_S": "0"}
    with tracing("relay", environ) as sent:
        with span("slow", parent=UNSAMPLED):
            pass
        with span("sampled", parent=SAMPLED):
            pass
        receiver.wait_for("sampled")
    assert not receiver.named("slow")
    assert counts(sent)["kept_per_s"] == 1


def test_of_what_is_kept_each_span_counts(receiver: OtlpReceiver) -> None:
    environ = {**receiver.environment, "PMESH_TRACES_KEPT_PER_S": "2"}
    with tracing("relay", environ) as sent:
        made = tracer()
        assert made is not None
        own = FinishedSpan("broken", Kind.SERVER, UNSAMPLED, "", 0, 0, {}, (), "INTERNAL")
        made.finish(own, [own._replace(name="part", error="")] * 2)
        with span("sampled", parent=SAMPLED):
            pass
        receiver.wait_for("sampled")
    assert [found.name for found in receiver.spans] == ["sampled"]
    assert counts(sent)["kept_per_s"] == 3


def test_a_batch_is_part_of_the_first_that_is_recorded_and_linked_to_the_others(
    receiver: OtlpReceiver,
) -> None:
    others = [TraceContext(new_trace_id(), new_span_id(), True) for _ in range(2)]
    with tracing("gateway", receiver.environment):
        with span_of_several("infer", Kind.CLIENT, [None, UNSAMPLED, *others]):
            pass
        receiver.wait_for("infer")
    (batch,) = receiver.spans
    assert (batch.trace_id, batch.parent_id) == others[0][:2]
    assert batch.links == (others[1][:2],)


def test_texts_of_the_same_call_are_one_link(receiver: OtlpReceiver) -> None:
    first, second, third = (TraceContext(new_trace_id(), new_span_id(), True) for _ in range(3))
    with tracing("gateway", receiver.environment):
        with span_of_several("infer", Kind.CLIENT, [first, *[second] * MOST_LINKS, third]):
            pass
        receiver.wait_for("infer")
    assert receiver.spans[0].links == (second[:2], third[:2])


def test_without_an_endpoint_a_trace_goes_on_as_it_came() -> None:
    with tracing("relay", {}), span("send events", parent=SAMPLED) as passed:
        assert passed.context == SAMPLED == current()
    assert current() is None


@pytest.mark.parametrize("fault", ["down", "slow", "refusing"])
def test_nobody_waits_for_a_receiver_and_what_is_lost_is_counted(
    receiver: OtlpReceiver, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST_WAITING", 300)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    environ = dict(receiver.environment)
    if fault == "down":
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_port()}"
    elif fault == "slow":
        receiver.silent.set()
    else:
        receiver.status = 400
    with tracing("relay", environ) as sent:
        for _ in range(1000):
            with span("send events", parent=SAMPLED):
                pass
        assert counts(sent)["queue_full"] > 0  # it went on at once, and what did not fit is lost
        wait_until(lambda: counts(sent)["not_delivered"] > 0)
    found = counts(sent)
    lost = found["queue_full"] + found["not_delivered"] + found["pmesh_spans_waiting"]
    assert lost == 1000
    assert found["pmesh_spans_exported_total"] == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("PMESH_TRACES_SLOW_S", "soon"),
    ],
)
def test_a_wrong_setting_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=variable), tracing("relay", {variable: value}):
        pass
