"""Prometheus' own checker of rules: on the path, or where `make promtool` puts it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MADE = Path(__file__).parents[2] / "build/prometheus/usr/bin/promtool"


def promtool(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """What it says. Without it the test is left out; in CI, it fails."""
    found = shutil.which("promtool") or (str(MADE) if MADE.is_file() else None)
    if found is None:
        message = "no promtool: make promtool"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return subprocess.run(
        [found, *map(str, arguments)], capture_output=True, text=True, check=False
    )
