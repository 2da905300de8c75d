"""Load by gRPC: what is shared out, and what h2load's output comes to."""

import pytest

from benchmarks.h2load import Call, _read, _target, share_out
from benchmarks.load import LoadFailedError

OUTPUT = """
finished in 2.00s, 500.00 req/s, 60.00KB/s
requests: 1000 total, 1000 started, 1000 done, {succeeded} succeeded, {failed} failed, 0 errored
traffic: 100KB (102400) total, 10KB (10240) headers (space savings 90.00%), 50KB ({data}) data
"""


def test_calls_in_flight_are_shared_out_evenly() -> None:
    assert share_out(64, 10) == [7, 7, 7, 7, 6, 6, 6, 6, 6, 6]
    assert share_out(64, 1) == [64]


def test_a_reply_without_a_message_is_a_failure() -> None:
    half = OUTPUT.format(succeeded=1000, failed=0, data=500 * 50)

    calls = _read(half, [1.0, 2.0], reply_bytes=50)

    assert (calls.answers, calls.failed, calls.seconds) == (500, 500, 2.0)


def test_replies_may_differ_by_a_few_bytes() -> None:
    shorter = OUTPUT.format(succeeded=990, failed=10, data=990 * 50 - 600)

    calls = _read(shorter, [1.0, 2.0], reply_bytes=50)

    assert (calls.answers, calls.failed) == (990, 10)


def test_output_that_says_nothing_is_an_error() -> None:
    with pytest.raises(LoadFailedError, match="no such host"):
        _read("no such host", [], reply_bytes=50)


def test_a_socket_is_given_beside_the_path_of_the_method() -> None:
    assert _target(Call("unix:/run/triton:1", "/Infer", b"")) == (
        "--base-uri=unix:/run/triton:1",
        "http://localhost/Infer",
    )
    assert _target(Call("127.0.0.1:8001", "/Infer", b"")) == ("http://127.0.0.1:8001/Infer",)
