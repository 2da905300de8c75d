"""Events to the topic, each by a span of its own, `send TOPIC`, that the message names.

Source: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from collections.abc import Sequence
from dataclasses import replace

from bus.events import Envelope, to_entry
from bus.metrics import SNS
from bus.sns import Outcome, Topic
from telemetry.spans import Kind, Span, span, tracer
from telemetry.trace_context import parse


async def send(topic: Topic, envelopes: Sequence[Envelope]) -> Outcome:
    """Publish events. What continues the trace of one continues it from its span."""
    if tracer() is None:
        return await topic.publish(to_entry(_handed_on(envelope)) for envelope in envelopes)
    spans = {envelope.id: _begin(topic.name, envelope) for envelope in envelopes}
    outcome = Outcome()
    try:
        outcome = await topic.publish(
            to_entry(_continued(envelope, spans[envelope.id])) for envelope in envelopes
        )
    finally:
        for event_id, sent in spans.items():
            if event_id not in outcome.published:
                sent.fail(outcome.rejected.get(event_id) or str(outcome.failure or "NotPublished"))
            sent.end()
    return outcome


def _begin(topic: str, envelope: Envelope) -> Span:
    links = [context for link in envelope.links if (context := parse(link))]
    attributes = {
        "messaging.system": SNS,
        "messaging.destination.name": topic,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.message.id": envelope.id,
        "pmesh.event": envelope.event,
        "pmesh.model": envelope.model,
    }
    if envelope.version:
        attributes["pmesh.version"] = envelope.version
    if envelope.prediction_id:
        attributes["pmesh.prediction.id"] = envelope.prediction_id
    return span(
        f"send {topic}",
        Kind.PRODUCER,
        parent=parse(envelope.traceparent),
        links=links,
        attributes=attributes,
    )


def _handed_on(envelope: Envelope) -> Envelope:
    if envelope.traceparent is None or parse(envelope.traceparent):
        return envelope
    return replace(envelope, traceparent=None)  # what is no trace goes no further


def _continued(envelope: Envelope, sent: Span) -> Envelope:
    context = sent.context
    return replace(envelope, traceparent=context.traceparent if context else None)
