"""Which traces are recorded."""

import random

import pytest

from telemetry.sampling import Sampler
from telemetry.trace_context import TraceContext, first_sampled, new_span_id, new_trace_id, parse

PARENT = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)


def test_a_share_of_the_traces_is_recorded() -> None:
    random.seed(1)
    sampler = Sampler(0.25, asks_parent=False)
    found = [sampler.samples(new_trace_id(), PARENT) for _ in range(20_000)]
    assert 4_700 < sum(found) < 5_300


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_parent_decides_where_it_is_asked(ratio: float) -> None:
    sampler = Sampler(ratio, asks_parent=True)
    assert sampler.samples(new_trace_id(), PARENT)
    assert not sampler.samples(new_trace_id(), PARENT._replace(sampled=False))
    assert sampler.samples(new_trace_id()) is bool(ratio)


def test_a_traceparent_is_read_as_it_is_written() -> None:
    for sampled in (True, False):
        context = TraceContext(new_trace_id(), new_span_id(), sampled)
        assert parse(context.traceparent) == context


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n",
    ],
)
def test_what_is_no_traceparent_is_none(text: str) -> None:
    assert parse(text) is None


def test_the_first_that_is_recorded_is_the_parent_of_several() -> None:
    unsampled = PARENT._replace(sampled=False)
    assert first_sampled([None, unsampled, PARENT]) == PARENT
    assert first_sampled([None, unsampled]) == unsampled
    assert first_sampled([None]) is None
