"""A real MLflow for tests, as the local stack runs it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx

from tests.parts.polling import wait_until
from tests.parts.ports import free_port


class MlflowServer:
    """One server with a store of its own."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="mlflow-"))
        self.artifacts = self._directory / "artifacts"
        self.uri = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        host, _, port = self.uri.removeprefix("http://").partition(":")
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "TERM", "--"),
                    *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
                    *("--host", host, "--port", port),
                    *("--backend-store-uri", f"sqlite:///{self._directory / 'mlflow.db'}"),
                    *("--artifacts-destination", str(self.artifacts)),
                ],
                env={
                    **os.environ,
                    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._is_ready, timeout_s=180)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)  # its worker too
        self._process.wait()
        shutil.rmtree(self._directory)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It accepts connections, and answers none."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.uri}/health", timeout=5).is_success
        except httpx.TransportError:
            return False
