"""The training programs, run as a user runs them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.parts.mlflow_server import MlflowServer

RunProgram = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_program(mlflow: MlflowServer, tmp_path: Path) -> RunProgram:
    """Runs `python -m module arguments` as a user does."""

    def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", module, *arguments],
            env={**os.environ, "MLFLOW_TRACKING_URI": mlflow.uri},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
