"""Prometheus and its own checker of rules: on the path, or where `make promtool` puts them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MADE = Path(__file__).parents[2] / "build/prometheus/usr/bin"


def binary(name: str) -> str:
    """Where it is. Without it the test is left out; in CI, it fails."""
    found = shutil.which(name) or shutil.which(name, path=MADE)
    if found is None:
        message = f"no {name}: make promtool"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return found


def promtool(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """What it says."""
    return subprocess.run(
        [binary("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False
    )
