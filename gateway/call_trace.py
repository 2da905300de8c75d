"""The trace of one call: which one it is, and what happened when.

Its spans are made once it is over and is known to be recorded: because its trace is, or since it
has failed or was slow. Until then it costs next to nothing.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from time import perf_counter

from google.rpc import status_pb2
from grpc import StatusCode

from contract.status import error_info
from telemetry.sampling import Sampler
from telemetry.spans import FinishedSpan, Kind, Value
from telemetry.trace_context import TraceContext, new_span_id, new_trace_id, parse

SPAN_HEADER = b"x-pmesh-span"
"""In which Envoy names its own span of the request: its trace and its id."""
_TRACEPARENT = b"traceparent"
_SPAN_CHARACTERS = 32 + 1 + 16
MOST_PARTS = 256
"""Of a call that has many texts."""
FAULTS = frozenset(
    {StatusCode.UNKNOWN, StatusCode.INTERNAL, StatusCode.UNAVAILABLE, StatusCode.DATA_LOSS}
)
"""What is no fault of the client's, and so is kept.

Source: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/, less UNIMPLEMENTED and
DEADLINE_EXCEEDED: whoever asks for what there is not, or in no time, could have as much kept as he
likes. What exceeds a deadline of ours is slow, and is kept for that.
"""
_FAULT_CODES = frozenset(code.value[0] for code in FAULTS)


class BatchStage:
    """What is done at once for several calls, each of which tells when it happened."""

    __slots__ = ("began", "ended", "name")

    def __init__(self, name: str, began: float) -> None:
        """began: by perf_counter, as `ended` is."""
        self.name = name
        self.began = self.ended = began


class CallTrace:
    """One thread writes; a call has one of its own."""

    __slots__ = (
        "_caller",
        "_ingress_id",
        "_marks",
        "_span_id",
        "_stages",
        "_told",
        "began",
        "fault",
        "sampled",
        "trace_id",
    )

    def __init__(
        self, trace_id: str, sampled: bool, ingress_id: str, caller: TraceContext | None
    ) -> None:
        """ingress_id: of Envoy's span; empty: there is none. caller: the trace as the caller sent
        it; None: it began here."""
        self.trace_id = trace_id
        self.sampled = sampled
        self.fault = ""
        """Of ours, for which one of its texts has no answer: the reason; empty: there is none."""
        self.began = perf_counter()
        self._ingress_id = ingress_id
        self._caller = caller
        self._span_id = ""
        self._told: tuple[str, str, str] | None = None
        self._marks: list[tuple[str, float, float]] = []
        self._stages: list[tuple[float, BatchStage]] = []

    @property
    def is_foreign(self) -> bool:
        """Whether it began at the caller's."""
        return self._caller is not None

    @property
    def context(self) -> TraceContext:
        """Of its span, for what is part of it."""
        if not self._span_id:
            self._span_id = new_span_id()
        return TraceContext(self.trace_id, self._span_id, self.sampled)

    @property
    def exemplar(self) -> str:
        """The trace in which it is to be seen; empty: it is not recorded."""
        return self.trace_id if self.sampled else ""

    def mark(self, name: str, began: float, ended: float) -> None:
        """Something took from one reading of perf_counter to another."""
        if len(self._marks) < MOST_PARTS:
            self._marks.append((name, began, ended))

    def wait(self, submitted: float, stage: BatchStage) -> None:
        """One of its texts waited from a reading of perf_counter until a stage began."""
        if len(self._stages) < MOST_PARTS:
            self._stages.append((submitted, stage))

    def tell(self, prediction_id: str, model: str, version: str) -> None:
        """What one of its texts is: of several, what they have in common is told."""
        told, found = self._told, (prediction_id, model, version)
        if told is None or told == found:
            self._told = found
        else:
            id, of_model, of_version = told
            self._told = (
                id if id == prediction_id else "",
                of_model if of_model == model else "",
                of_version if of_version == version else "",
            )

    @property
    def attributes(self) -> Mapping[str, Value]:
        """Of its span: names and ids of ours, nothing that a client wrote."""
        names = ("pmesh.prediction.id", "pmesh.model", "pmesh.version")
        return {name: value for name, value in zip(names, self._told or (), strict=False) if value}

    def note(self, error: status_pb2.Status) -> None:
        """One of its texts has no answer."""
        if error.code in _FAULT_CODES:
            self.fault = error_info(error).reason

    def spans(
        self, name: str, attributes: Mapping[str, Value], *, error: str, seconds: float
    ) -> Sequence[FinishedSpan]:
        """That of the call, then those of its parts."""
        context = self.context
        parent_id = self._ingress_id if self.sampled else ""
        if not parent_id and self._caller is not None:
            parent_id = self._caller.span_id
        began_ns = time.time_ns() - int((perf_counter() - self.began) * 1e9)
        own = FinishedSpan(
            name,
            Kind.SERVER,
            context,
            parent_id,
            began_ns,
            began_ns + int(seconds * 1e9),
            {**attributes, **self.attributes, **({"error.type": error} if error else {})},
            (),
            error,
        )
        return [own, *(self._part(own, *part) for part in self._parts())]

    def _parts(self) -> Iterator[tuple[str, float, float]]:
        yield from self._marks
        for submitted, stage in self._stages:
            yield "wait for batch", submitted, stage.began
            if not self.sampled:  # else it is in the stage's own span
                yield stage.name, stage.began, stage.ended

    def _part(self, whole: FinishedSpan, name: str, began: float, ended: float) -> FinishedSpan:
        return FinishedSpan(
            name,
            Kind.INTERNAL,
            whole.context._replace(span_id=new_span_id()),
            whole.context.span_id,
            whole.start_ns + int((began - self.began) * 1e9),
            whole.start_ns + int((ended - self.began) * 1e9),
            {},
            (),
            "",
        )


present: ContextVar[CallTrace | None] = ContextVar("call trace", default=None)
"""That of the call which the present task works for."""


def begin(sampler: Sampler, headers: Mapping[bytes, bytes]) -> CallTrace:
    """Have a call be part of the trace that its headers name, or begin one."""
    named = headers.get(SPAN_HEADER, b"")
    ingress_id, caller = "", None
    if len(named) == _SPAN_CHARACTERS:  # of Envoy, whose word is good
        trace_id, _, ingress_id = named.decode("latin-1").partition("-")
        if said := headers.get(_TRACEPARENT):
            # Envoy, whose span is below it, asks neither for the version nor for small letters.
            caller = parse(f"00{said[2:].decode('latin-1').lower()}")
    else:
        caller = parse(headers.get(_TRACEPARENT, b"").decode("latin-1"))
        trace_id = caller.trace_id if caller else new_trace_id()
    call = CallTrace(trace_id, sampler.samples(trace_id, caller), ingress_id, caller)
    present.set(call)
    return call
