"""What a load comes to, whichever program makes it."""

import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

_TIMEOUT_S = 120
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


def p50_and_p99(times_ms: Sequence[float]) -> tuple[float, float]:
    """The two percentiles of at least two times."""
    percentiles = statistics.quantiles(times_ms, n=100)
    return percentiles[49], percentiles[98]


def run_tool(*command: str) -> str:
    """What a load generator prints. Raises LoadFailedError."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    if done.returncode:
        raise LoadFailedError(f"{command[0]}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout
