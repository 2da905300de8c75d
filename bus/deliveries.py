"""A message that was received, and the span of what is done with it: `process QUEUE`.

Source: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

import time
from hashlib import sha256
from typing import TYPE_CHECKING

from bus.metrics import PROCESSED, SQS
from telemetry.spans import Kind, Span, exemplar_of, span, tracer
from telemetry.trace_context import TraceContext, parse

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef as Message


class Delivery:
    """One delivery of a message, which may come more than once; to be ended when it is done with.

    Its span is part of the trace that the message names. The id of the span follows from which
    delivery it is, so that a later one has a link to the first, and nobody keeps ids for it.
    """

    __slots__ = ("_has_ended", "_is_traced", "_queue", "_start_s", "is_again", "message", "span")

    def __init__(self, queue: str, message: "Message") -> None:
        """queue: its name."""
        self.message = message
        count = message.get("Attributes", {}).get("ApproximateReceiveCount", "1")
        self.is_again = count != "1"
        """Whether it came before."""
        self._queue = queue
        self._start_s = time.monotonic()
        self._has_ended = False
        context = _context(message)
        self._is_traced = context is not None
        self.span = (
            _begin(queue, message, count, context)
            if tracer()
            else span("process", Kind.CONSUMER, parent=context)  # hands the trace on
        )

    @property
    def receipt(self) -> str:
        """By which it is deleted or hidden."""
        return self.message["ReceiptHandle"]

    @property
    def context(self) -> TraceContext | None:
        """What comes of it is part of this."""
        return self.span.context

    @property
    def trace_id(self) -> str:
        """Of its trace, for the log; empty: of none."""
        context = self.span.context
        return context.trace_id if context else ""

    @property
    def traceparent(self) -> str | None:
        """The same, where the message named a trace; None for a trace that began here."""
        context = self.span.context
        return context.traceparent if context and self._is_traced else None

    def end(self) -> None:
        """It is done with, or others may have it. A second time it is nothing."""
        if not self._has_ended:
            self._has_ended = True
            seconds = time.monotonic() - self._start_s
            PROCESSED.labels(self._queue).observe(seconds, exemplar_of(self.context))
            self.span.end()


def _begin(queue: str, message: "Message", count: str, context: TraceContext | None) -> Span:
    links = []
    if context and count != "1":
        links.append(context._replace(span_id=_span_id(message, "1")))
    return span(
        f"process {queue}",
        Kind.CONSUMER,
        parent=context,
        links=links,
        attributes={
            "messaging.system": SQS,
            "messaging.destination.name": queue,
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.message.id": message["MessageId"],
        },
        span_id=_span_id(message, count),
    )


def _context(message: "Message") -> TraceContext | None:
    attribute = message.get("MessageAttributes", {}).get("traceparent")
    return parse(attribute.get("StringValue")) if attribute else None


def _span_id(message: "Message", count: str) -> str:
    return sha256(f"{message['MessageId']}/{count}".encode()).hexdigest()[:16]
