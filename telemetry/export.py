"""Sends spans by OTLP, from a thread of its own. What does not get through is dropped and counted.

OpenTelemetry's SDK is imported here only, by programs that send spans.
"""

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from telemetry.sent import Sent
from telemetry.spans import FinishedSpan
from telemetry.trace_context import TraceContext

if TYPE_CHECKING:
    from telemetry.settings import TraceSettings

log = logging.getLogger(__name__)

MOST_WAITING = 2048
"""Spans; beyond them, new ones are dropped."""
BATCH = 512
DELAY_MS = 1000
"""Until a span is sent, together with others."""
LAST_S = 2.0
"""That the last ones get when the program ends."""

_SCOPE = InstrumentationScope("predict-mesh")
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_KINDS = list(SpanKind)


class OtlpSink:
    """Where a program's finished spans go; `close` at the end."""

    def __init__(self, settings: "TraceSettings", service: str, sent: Sent) -> None:
        """service: the name of the program."""
        # It tells of each try; `_Counting` tells once that the receiver is away.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._sent = sent
        self._resource = Resource.create(
            {"service.name": service, "service.namespace": "predict-mesh"}
        )
        self._per_s = settings.kept_per_s
        self._second = self._kept = 0
        exporter = OTLPSpanExporter(endpoint=settings.endpoint)
        self._processor = BatchSpanProcessor(
            _Counting(exporter, sent),
            max_queue_size=2 * MOST_WAITING,  # never full: `take` sees to it
            schedule_delay_millis=DELAY_MS,
            max_export_batch_size=BATCH,
        )

    def take(self, span: FinishedSpan) -> None:
        """Send it soon; the receiver is never waited for."""
        if not self._sent.may_wait(MOST_WAITING):
            return
        self._processor.on_end(self._readable(span))

    def may_keep(self, spans: int) -> bool:
        """Whether so many more may be kept in this second; if not, they count as dropped."""
        if (second := int(time.monotonic())) != self._second:
            self._second, self._kept = second, 0
        if self._kept + spans > self._per_s:
            self._sent.drop("kept_per_s", spans)
            return False
        self._kept += spans
        return True

    def close(self) -> None:
        """Send what waits, if that does not take long."""
        # In a thread, since it waits for a try that hangs.
        closing = threading.Thread(target=self._processor.shutdown, daemon=True)
        closing.start()
        closing.join(LAST_S)

    def _readable(self, span: FinishedSpan) -> ReadableSpan:
        context = _span_context(span.context)
        parent = TraceContext(span.context.trace_id, span.parent_id, True)
        return ReadableSpan(
            span.name,
            context=context,
            parent=_span_context(parent) if span.parent_id else None,
            resource=self._resource,
            attributes=span.attributes,
            links=[Link(_span_context(link)) for link in span.links],
            kind=_KINDS[span.kind.value],
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=_SCOPE,
        )


class _Counting(SpanExporter):
    """Counts what arrives, and says once that nothing does."""

    def __init__(self, exporter: SpanExporter, sent: Sent) -> None:
        self._exporter = exporter
        self._sent = sent
        self._is_away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        with suppress(Exception):  # whatever it is, its spans are lost
            result = self._exporter.export(spans)
        is_away = result is not SpanExportResult.SUCCESS
        self._sent.settle(len(spans), dropped_for="not_delivered" if is_away else "")
        if is_away is not self._is_away:
            self._is_away = is_away
            if is_away:
                log.warning("spans do not arrive and are dropped; nothing else waits for them")
            else:
                log.info("spans arrive again")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _span_context(context: TraceContext) -> SpanContext:
    trace_id, span_id, _ = context
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=_SAMPLED)
