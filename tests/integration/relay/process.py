"""A relay process under test."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self


class Relay:
    """`python -P -m relay`; killed when the test ends."""

    def __init__(self, environment: dict[str, str], *, patch: str = "", **limits: float) -> None:
        """patch: Python that runs before the program, to make a fault.

        limits: PMESH_RELAY_* variables in lower case.
        """
        self._directory = tempfile.TemporaryDirectory(prefix="relay-")
        directory = Path(self._directory.name)
        (directory / "sitecustomize.py").write_text(patch)
        self._log = directory / "log"
        variables = {f"PMESH_RELAY_{name.upper()}": str(value) for name, value in limits.items()}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-P", "-m", "relay"],
                env={
                    **os.environ,
                    "PMESH_RELAY_METRICS_PORT": "0",
                    **environment,
                    **variables,
                    "PYTHONPATH": str(directory),
                },
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._directory.cleanup()

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; below 0 for the signal that ended it."""
        return self._process.poll()

    @property
    def pid(self) -> int:
        return self._process.pid

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.terminate()
        return self._process.wait(100)
