"""Load by gRPC. One connection for each call in flight."""

import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import grpc

from benchmarks.load import Load, LoadFailedError, p50_and_p99, run_tool
from benchmarks.questions import ask_grpc
from gateway.grpc_asgi.framing import PREFIX_BYTES, frame

_UNIX = "unix:"
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


class Call(NamedTuple):
    """What is sent again and again: h2load sends one message only."""

    address: str
    """host:port, or unix: and the path of a socket."""
    path: str
    message: bytes


def call_grpc(calls: Sequence[Call], *, in_flight: int, amount: str) -> Load:
    """Make the calls, each by an h2load of its own, all at once.

    in_flight: of all of them together. amount: h2load's -D with seconds, or -n with a number of
    calls. Raises LoadFailedError.
    """
    shares = share_out(in_flight, len(calls))
    with ThreadPoolExecutor(len(calls)) as pool:
        done = list(pool.map(_call, calls, shares, [amount] * len(calls)))
    p50_ms, p99_ms = p50_and_p99([time_ms for one in done for time_ms in one.times_ms])
    return Load(
        answers=sum(one.answers for one in done),
        failed=sum(one.failed for one in done),
        seconds=max(one.seconds for one in done),
        p50_ms=p50_ms,
        p99_ms=p99_ms,
    )


def share_out(total: int, shares: int) -> list[int]:
    """As evenly as whole numbers allow."""
    return [total // shares + (share < total % shares) for share in range(shares)]


class _Calls(NamedTuple):
    """What one h2load saw."""

    answers: int
    failed: int
    seconds: float
    times_ms: list[float]


def _call(call: Call, in_flight: int, amount: str) -> _Calls:
    try:
        reply = ask_grpc(call.address, call.path, call.message)
    except grpc.RpcError as error:
        raise LoadFailedError(f"{call.path} at {call.address}: {error}") from error
    with tempfile.TemporaryDirectory() as scratch:
        body, log = Path(scratch, "body"), Path(scratch, "log")
        body.write_bytes(frame(call.message))
        output = run_tool(
            *("h2load", "-t1", f"-c{in_flight}", "-m1", amount, f"--log-file={log}"),
            *("-d", str(body), "-H", "content-type: application/grpc", "-H", "te: trailers"),
            *_target(call),
        )
        rows = map(str.split, log.read_text().splitlines())
        times_ms = [int(took_us) / 1e3 for _, status, took_us in rows if status == "200"]
    # A call that fails is HTTP 200 without a message, so that missing bytes are missing answers.
    return _read(output, times_ms, len(reply) + PREFIX_BYTES)


def _target(call: Call) -> tuple[str, ...]:
    if call.address.startswith(_UNIX):
        return (f"--base-uri={call.address}", f"http://localhost{call.path}")
    return (f"http://{call.address}{call.path}",)


def _read(output: str, times_ms: list[float], reply_bytes: int) -> _Calls:
    finished = re.search(r"finished in ([\d.]+)(us|ms|s)", output)
    requests = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", output)
    data = re.search(r"\((\d+)\) data", output)
    if not (finished and requests and data and len(times_ms) > 1):
        raise LoadFailedError(f"h2load: {output[-400:]}")
    succeeded, failed = int(requests[2]), int(requests[3])
    # Replies differ by a few bytes, as numbers and times do.
    missing = succeeded - int(data[1]) / reply_bytes
    empty = round(missing) if missing > 0.02 * succeeded else 0
    return _Calls(
        answers=succeeded - empty,
        failed=failed + empty,
        seconds=float(finished[1]) * _SECONDS[finished[2]],
        times_ms=times_ms,
    )
