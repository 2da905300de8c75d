"""Spans of what is done once for several calls."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from telemetry.spans import Kind, Value, span_of_several
from telemetry.trace_context import TraceContext


def batch_span(
    name: str, contexts: Sequence[TraceContext], attributes: Mapping[str, Value]
) -> AbstractContextManager[object]:
    """Of a question to another program. contexts: of those calls that are recorded; without any,
    there is nothing."""
    if not contexts:
        return nullcontext()
    return span_of_several(name, Kind.CLIENT, contexts, attributes=attributes)
