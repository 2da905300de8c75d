"""Has a program send its spans, for as long as it runs."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from contract.logs import add_fields
from telemetry.sent import Sent
from telemetry.settings import read_traces
from telemetry.spans import Tracer, current, install


@contextmanager
def tracing(service: str, environ: Mapping[str, str] = os.environ) -> Iterator[Sent]:
    """Spans go where OTEL_EXPORTER_OTLP_ENDPOINT says, within the block; nowhere without it.

    service: the name of the program. Answers with what counts them. Raises ValueError, naming the
    variable that is wrong.
    """
    settings, sent = read_traces(environ), Sent()
    add_fields(_trace)
    if not settings.endpoint:
        yield sent
        return
    from telemetry.export import OtlpSink  # OpenTelemetry's SDK, which takes its time and memory

    sink = OtlpSink(settings, service, sent)
    install(Tracer(settings.make_sampler(), sink, slow_s=settings.slow_s))
    try:
        yield sent
    finally:
        install(None)
        sink.close()


def _trace() -> Mapping[str, str]:
    """For the lines of the log."""
    present = current()
    return {"trace_id": present.trace_id} if present else {}
