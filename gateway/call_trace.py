"""The trace of one call: which one it is, and what happened when.

Its spans are made once it is over and is known to be recorded: because its trace is, or since it
has failed or was slow. Until then it costs next to nothing.
"""

import time
from collections.abc import Mapping, Sequence
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
MOST_MARKS = 256
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


class CallTrace:
    """One thread writes; a call has one of its own."""

    __slots__ = (
        "_began_ns",
        "_caller",
        "_has_text",
        "_ingress_id",
        "_marks",
        "_span_id",
        "attributes",
        "began",
        "fault",
        "is_foreign",
        "sampled",
        "trace_id",
    )

    def __init__(
        self, trace_id: str, *, sampled: bool, ingress_id: str, caller: TraceContext | None
    ) -> None:
        """ingress_id: of Envoy's span; empty: there is none. caller: the trace as the caller sent
        it; None: it began here."""
        self.trace_id = trace_id
        self.sampled = sampled
        self.is_foreign = caller is not None
        """Whether it began at the caller's."""
        self.attributes: dict[str, Value] = {}
        """Of its span: names and ids of ours, nothing that a client wrote."""
        self.fault = ""
        """Of ours, for which one of its texts has no answer: the reason; empty: there is none."""
        self.began = perf_counter()
        self._began_ns = time.time_ns()
        self._ingress_id = ingress_id
        self._caller = caller
        self._has_text = False
        self._span_id = ""
        self._marks: list[tuple[str, float, float]] = []

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
        if len(self._marks) < MOST_MARKS:
            self._marks.append((name, began, ended))

    def tell(self, prediction_id: str, model: str, version: str) -> None:
        """What one of its texts is: of several, what they have in common is told."""
        found = {"pmesh.prediction.id": prediction_id, "pmesh.model": model}
        found["pmesh.version"] = version
        if not self._has_text:
            self._has_text = True
            self.attributes.update(found)
            return
        for name, value in found.items():
            if self.attributes.get(name) != value:
                self.attributes.pop(name, None)

    def note(self, error: status_pb2.Status) -> None:
        """One of its texts has no answer."""
        if error.code in _FAULT_CODES:
            self.fault = error_info(error).reason

    def spans(
        self, name: str, attributes: Mapping[str, Value], *, error: str, seconds: float
    ) -> Sequence[FinishedSpan]:
        """That of the call, then those of its marks."""
        context = self.context
        parent_id = self._ingress_id if self.sampled else ""
        if not parent_id and self._caller is not None:
            parent_id = self._caller.span_id
        own = FinishedSpan(
            name,
            Kind.SERVER,
            context,
            parent_id,
            self._began_ns,
            self._began_ns + int(seconds * 1e9),
            {**attributes, **self.attributes, **({"error.type": error} if error else {})},
            (),
            error,
        )
        return [own, *(self._part(context, *mark) for mark in self._marks)]

    def _part(self, whole: TraceContext, name: str, began: float, ended: float) -> FinishedSpan:
        return FinishedSpan(
            name,
            Kind.INTERNAL,
            whole._replace(span_id=new_span_id()),
            whole.span_id,
            self._began_ns + int((began - self.began) * 1e9),
            self._began_ns + int((ended - self.began) * 1e9),
            {},
            (),
            "",
        )


present: ContextVar[CallTrace | None] = ContextVar("call trace", default=None)
"""That of the call which the present task works for."""


def begin(sampler: Sampler, headers: Mapping[bytes, bytes]) -> CallTrace:
    """Have a call be part of the trace that its headers name, or begin one."""
    traceparent = headers.get(_TRACEPARENT, b"").decode("latin-1")
    named = headers.get(SPAN_HEADER)
    ingress = parse(f"00-{named.decode('latin-1')}-00") if named else None
    if ingress is not None and traceparent:
        # Envoy, whose span is below it, asks neither for the version nor for small letters.
        traceparent = f"00{traceparent[2:].lower()}"
    caller = parse(traceparent)
    if ingress is not None:
        trace_id, ingress_id, _ = ingress
    else:
        trace_id, ingress_id = caller.trace_id if caller else new_trace_id(), ""
    sampled = sampler.samples(trace_id, caller)
    call = CallTrace(trace_id, sampled=sampled, ingress_id=ingress_id, caller=caller)
    present.set(call)
    return call
