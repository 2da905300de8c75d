"""Makes load: wrk for REST, h2load for gRPC. One connection for each call in flight."""

import json
import re
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gateway.grpc_asgi.framing import PREFIX_BYTES, frame

_POST = Path(__file__).with_name("post.lua")
_TIMEOUT_S = 60
_PACKAGES = {"wrk": "wrk", "h2load": "nghttp2-client"}


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a load generator saw."""

    answers: int
    """Good ones."""
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.answers / self.seconds


class LoadFailedError(Exception):
    """A load generator did not run as it should."""


def missing_tools() -> list[str]:
    """What to install, one line for each load generator that is not there."""
    return [
        f"{tool} is missing: install the package {package} (apt install {package})"
        for tool, package in _PACKAGES.items()
        if shutil.which(tool) is None
    ]


def post_json(url: str, bodies: Path, *, in_flight: int, seconds: float) -> Load:
    """Post the lines of a file in turn, for so long. Raises LoadFailedError."""
    output = _run(
        *("wrk", "-t1", f"-c{in_flight}", f"-d{seconds:.0f}s", "--timeout", "20s"),
        *("-s", str(_POST), url, "--", str(bodies)),
    )
    result = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    if result is None:
        raise LoadFailedError(f"wrk: {output[-400:]}")
    return Load(**json.loads(result[1]))


def call_grpc(url: str, message: bytes, reply_bytes: int, *, in_flight: int, amount: str) -> Load:
    """Send one message again and again.

    reply_bytes: the usual length of a reply message. A call that fails is HTTP 200 without a
    message, so that missing bytes are missing answers.
    amount: h2load's -D with seconds, or -n with a number of calls. Raises LoadFailedError.
    """
    with tempfile.TemporaryDirectory() as scratch:
        body, log = Path(scratch, "body"), Path(scratch, "log")
        body.write_bytes(frame(message))
        output = _run(
            *(
                "h2load",
                "-t1",
                f"-c{in_flight}",
                "-m1",
                amount,
                f"--log-file={log}",
                "-d",
                str(body),
            ),
            *("-H", "content-type: application/grpc", "-H", "te: trailers", url),
        )
        times_ms = [
            int(took_us) / 1e3
            for _, status, took_us in map(str.split, log.read_text().splitlines())
            if status == "200"
        ]
    return _read_h2load(output, times_ms, reply_bytes)


def _read_h2load(output: str, times_ms: list[float], reply_bytes: int) -> Load:
    finished = re.search(r"finished in ([\d.]+)(us|ms|s)", output)
    requests = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", output)
    data = re.search(r"\((\d+)\) data", output)
    if not (finished and requests and data and len(times_ms) > 1):
        raise LoadFailedError(f"h2load: {output[-400:]}")
    succeeded, failed = int(requests[2]), int(requests[3])
    # Replies differ by a few bytes, as numbers and times do.
    missing = succeeded - int(data[1]) / (reply_bytes + PREFIX_BYTES)
    empty = round(missing) if missing > 0.02 * succeeded else 0
    percentiles = statistics.quantiles(times_ms, n=100)
    return Load(
        answers=succeeded - empty,
        failed=failed + empty,
        seconds=float(finished[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1}[finished[2]],
        p50_ms=percentiles[49],
        p99_ms=percentiles[98],
    )


def _run(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S + 60
    )
    if done.returncode:
        raise LoadFailedError(f"{command[0]}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout
