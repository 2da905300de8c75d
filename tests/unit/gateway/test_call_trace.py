"""A call's part of a trace, before it is known whether that is recorded."""

import pytest

from gateway.call_trace import CallTrace, begin
from telemetry.sampling import Sampler
from telemetry.trace_context import new_span_id, new_trace_id

TRACE, SPAN, ENVOYS = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
ASKING = Sampler(1.0, asks_parent=True)


def call() -> CallTrace:
    return CallTrace(new_trace_id(), sampled=True, ingress_id=new_span_id(), caller=None)


def test_of_one_text_all_is_told() -> None:
    one = call()
    one.tell("id", "words", "1")
    assert one.attributes == {
        "pmesh.prediction.id": "id",
        "pmesh.model": "words",
        "pmesh.version": "1",
    }


def test_of_many_texts_what_they_have_in_common_is_told() -> None:
    many = call()
    for number, version in enumerate("1121"):
        many.tell(str(number), "words", version)
    assert many.attributes == {"pmesh.model": "words"}


@pytest.mark.parametrize(
    "traceparent", [f"01-{TRACE}-{SPAN}-00", f"FF-{TRACE.upper()}-{SPAN.upper()}-00"]
)
def test_below_envoys_span_a_caller_is_read_as_envoy_reads_him(traceparent: str) -> None:
    headers = {b"traceparent": traceparent.encode(), b"x-pmesh-span": f"{TRACE}-{ENVOYS}".encode()}
    below = begin(ASKING, headers)
    assert (below.trace_id, below.sampled, below.is_foreign) == (TRACE, False, True)
    del headers[b"x-pmesh-span"]
    alone = begin(ASKING, headers)
    assert alone.trace_id != TRACE
    assert not alone.is_foreign
