"""A worker process under test."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from tests.parts.polling import wait_until


class Worker:
    """`python -P -m model_runtime`; killed when the test ends."""

    def __init__(self, environment: dict[str, str], *, model: str = "sentiment") -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="worker-")
        self._log = Path(self._directory.name) / "log"
        defaults = {
            "PMESH_MODEL": model,
            "PMESH_RECEIVE_WAIT_S": "1",
            "PMESH_WORKER_METRICS_PORT": "0",
        }
        command = [sys.executable, "-P", "-m", "model_runtime"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                env={**os.environ, **defaults, **environment},
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._directory.cleanup()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_until_started(self) -> None:
        wait_until(lambda: "working for" in self.log)

    def wait_for_end(self) -> int:
        """The exit code."""
        return self.process.wait(100)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.terminate()
        return self.wait_for_end()
