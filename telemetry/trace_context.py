"""The W3C trace context: which trace work belongs to, and whether that is recorded.

Source: https://www.w3.org/TR/trace-context/
"""

import random
import re
from collections.abc import Iterable
from typing import NamedTuple

# Of version 00; no id is all zeros.
_TRACEPARENT = re.compile(
    r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII
)


class TraceContext(NamedTuple):
    """A span of a trace, as others name it."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 of them."""
    sampled: bool
    """Whether who began the trace has it recorded."""

    @property
    def traceparent(self) -> str:
        """As a header or an attribute carries it."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def parse(traceparent: str | None) -> TraceContext | None:
    """None for what is no traceparent."""
    if not traceparent or not (found := _TRACEPARENT.fullmatch(traceparent)):
        return None
    trace_id, span_id, flags = found.groups()
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & 1))


def first_sampled(contexts: Iterable[TraceContext | None]) -> TraceContext | None:
    """The parent of what is done for several at once: the first that is recorded, or else the
    first."""
    known = [context for context in contexts if context is not None]
    return next((context for context in known if context.sampled), known[0] if known else None)


def new_trace_id() -> str:
    """Random, and not all zeros."""
    return f"{random.getrandbits(128) | 1:032x}"


def new_span_id() -> str:
    """Random, and not all zeros."""
    return f"{random.getrandbits(64) | 1:016x}"
