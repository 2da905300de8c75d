"""Spans: pieces of work, with what they are part of, how long they took and how they ended.

A program installs its tracer once (telemetry.tracing); until then, and in programs that send
nothing, a span costs next to nothing, and hands on the trace that it was given.

    with span("claim requests", Kind.CLIENT, attributes={"db.system.name": "postgresql"}):
        ...
"""

import enum
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeAlias

from telemetry.sampling import Sampler
from telemetry.trace_context import TraceContext, first_sampled, new_span_id, new_trace_id

Value: TypeAlias = str | bool | int | float
MOST_LINKS = 128
"""Of a span: the default limit of OpenTelemetry."""


class Kind(enum.Enum):
    """What a span is to those on its other side; as OpenTelemetry numbers them."""

    INTERNAL = 0
    SERVER = 1
    CLIENT = 2
    PRODUCER = 3
    CONSUMER = 4


class FinishedSpan(NamedTuple):
    """As it is sent. It holds no payload: names, ids, sizes and times only."""

    name: str
    kind: Kind
    context: TraceContext
    parent_id: str
    """Of the span that it is part of, in the same trace; empty: of none."""
    start_ns: int
    """Since 1970."""
    end_ns: int
    attributes: Mapping[str, Value]
    links: Sequence[TraceContext]
    error: str
    """Why it failed, as a code or the name of a class; empty: it did not."""


class Sink(Protocol):
    """Where finished spans go."""

    def take(self, span: FinishedSpan) -> None:
        """One that is to be sent."""

    def may_keep(self, spans: int) -> bool:
        """Whether so many may be sent, of a trace that is not recorded: one failed or was slow."""


_current: ContextVar[TraceContext | None] = ContextVar("span", default=None)

current = _current.get
"""What the present work is part of; None: of no trace."""


class Span:
    """One that has begun. It is recorded if its trace is, or if it fails or is slow."""

    __slots__ = (
        "_attributes",
        "_error",
        "_kind",
        "_links",
        "_name",
        "_parent_id",
        "_start_ns",
        "_token",
        "_tracer",
        "context",
    )

    def __init__(
        self,
        tracer: "Tracer",
        name: str,
        kind: Kind,
        context: TraceContext,
        parent_id: str,
        attributes: Mapping[str, Value],
        links: Sequence[TraceContext],
        start_ns: int,
    ) -> None:
        """To be made by a tracer."""
        self.context: TraceContext | None = context
        self._tracer = tracer
        self._name = name
        self._kind = kind
        self._parent_id = parent_id
        self._attributes = dict(attributes)
        self._links = links
        self._start_ns = start_ns
        self._error = ""
        self._token: Token[TraceContext | None] | None = None

    def set(self, name: str, value: Value) -> None:
        """Add an attribute; nothing that a client wrote."""
        self._attributes[name] = value

    def fail(self, error: str) -> None:
        """It has failed: why, as a code or the name of a class."""
        self._error = error
        self._attributes["error.type"] = error

    def end(self) -> None:
        """It is over."""
        assert self.context is not None
        self._tracer.finish(
            FinishedSpan(
                self._name,
                self._kind,
                self.context,
                self._parent_id,
                self._start_ns,
                time.time_ns(),
                self._attributes,
                self._links,
                self._error,
            )
        )

    def __enter__(self) -> Self:
        """Have what is done in the block be part of it."""
        self._token = _current.set(self.context)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
        if kind is not None and not self._error and issubclass(kind, Exception):
            self.fail(kind.__name__)
        self.end()


class _NoSpan(Span):
    """Of a program that sends none: the trace goes on to others as it came."""

    __slots__ = ()

    def __init__(self, context: TraceContext | None) -> None:
        self.context = context
        self._token = None
        self._error = ""

    def set(self, name: str, value: Value) -> None:
        """Nothing."""

    def fail(self, error: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class Tracer:
    """Makes the spans of a program."""

    def __init__(self, sampler: Sampler, sink: Sink, *, slow_s: float) -> None:
        self.sampler = sampler
        self._sink = sink
        self._slow_s = slow_s

    def is_slow(self, seconds: float) -> bool:
        """Whether what took so long is recorded for that."""
        return seconds > self._slow_s

    def begin(
        self,
        name: str,
        kind: Kind,
        *,
        parent: TraceContext | None,
        links: Sequence[TraceContext] = (),
        attributes: Mapping[str, Value] | None = None,
        span_id: str = "",
    ) -> Span:
        """As `span`; span_id: one of the caller's own, random if empty."""
        if parent is None:
            trace_id = new_trace_id()
            parent_id, sampled = "", self.sampler.samples(trace_id)
        else:
            trace_id, parent_id, sampled = parent
        context = TraceContext(trace_id, span_id or new_span_id(), sampled)
        return Span(self, name, kind, context, parent_id, attributes or {}, links, time.time_ns())

    def finish(self, span: FinishedSpan, parts: Sequence[FinishedSpan] = ()) -> None:
        """Send a span if it is to be recorded, with parts of it."""
        if not span.context.sampled:
            seconds = (span.end_ns - span.start_ns) / 1e9
            if not ((span.error or self.is_slow(seconds)) and self._sink.may_keep(1 + len(parts))):
                return
        for one in (span, *parts):
            self._sink.take(one)


_tracer: Tracer | None = None


def tracer() -> Tracer | None:
    """Of this program; None: it sends no spans."""
    return _tracer


def install(made: Tracer | None) -> None:
    """Have it be this program's from now on. Of telemetry.tracing and of tests."""
    global _tracer
    _tracer = made


def exemplar_of(context: TraceContext | None) -> dict[str, str] | None:
    """What a histogram shows beside its figure: a trace that is recorded, by a program that sends
    spans."""
    return {"trace_id": context.trace_id} if _tracer and context and context.sampled else None


def span(
    name: str,
    kind: Kind = Kind.INTERNAL,
    *,
    parent: TraceContext | None = None,
    links: Sequence[TraceContext] = (),
    attributes: Mapping[str, Value] | None = None,
    span_id: str = "",
) -> Span:
    """Begin a span; `with` makes it the present one and ends it.

    name: one of few, whatever clients send. parent: None: the present span; without one, it begins
    a trace. links: to spans of other work that it belongs to as well.
    """
    parent = parent or current()
    if _tracer is None:
        return _NoSpan(parent)
    return _tracer.begin(
        name, kind, parent=parent, links=links, attributes=attributes, span_id=span_id
    )


def span_of_several(
    name: str,
    kind: Kind,
    contexts: Sequence[TraceContext | None],
    *,
    attributes: Mapping[str, Value] | None = None,
) -> Span:
    """Begin a span of what is done once for several: part of the first that is recorded, with links
    to the others that are."""
    parent = first_sampled(contexts)
    recorded = dict.fromkeys(one for one in contexts if one is not None and one.sampled)
    others = [one for one in recorded if one != parent]
    return span(name, kind, parent=parent, links=others[:MOST_LINKS], attributes=attributes)
