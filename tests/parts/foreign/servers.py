"""Servers of the Open Inference Protocol that nobody here wrote, with a model of a few lines.

They do not notice that a port is taken, and MLServer shares it silently: each gets a fresh one.
"""

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Self

from inference.blocking import InferenceError, infer
from inference.calls import PROBE_TEXT
from tests.parts import words
from tests.parts.foreign.environments import environment
from tests.parts.polling import wait_until
from tests.parts.ports import free_port

_HERE = Path(__file__).parent
MODEL, VERSION = "words", "1"


class ForeignServer:
    """Runs inside `with`."""

    folder: str

    def __init__(self, directory: Path, *, model: str = MODEL, version: str = VERSION) -> None:
        """directory: an empty one of its own."""
        self.model, self.version = model, version
        self._directory = directory
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        files = _HERE / self.folder
        shutil.copytree(files, self._directory, dirs_exist_ok=True)
        shutil.copy(words.__file__, self._directory)
        self._prepare()
        self._environment = environment(files)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self._command()],
                cwd=self._directory,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, timeout_s=120)

    def stop(self) -> None:
        """At once."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    @property
    def log(self) -> str:
        """What it wrote: texts of failed calls among other things, which is a fault of its own."""
        return self._log.read_text()

    @property
    def _log(self) -> Path:
        return self._directory / "server.log"

    def _prepare(self) -> None:
        """Write what it reads at start."""

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log[-1000:]
        try:
            infer(self.address, self.model, self.version, [PROBE_TEXT])
        except InferenceError:
            return False
        return True


class MlServer(ForeignServer):
    """Seldon's MLServer, with one version of the model."""

    folder = "mlserver_words"

    def _prepare(self) -> None:
        settings = {
            "host": "127.0.0.1",
            "grpc_port": self.port,
            "http_port": 0,  # any: it cannot be turned off
            "metrics_endpoint": None,
            "parallel_workers": 0,
        }
        model = {
            "name": self.model,
            "implementation": "runtime.Words",
            "parameters": {"version": self.version},
        }
        (self._directory / "settings.json").write_text(json.dumps(settings))
        (self._directory / "model-settings.json").write_text(json.dumps(model))

    def _command(self) -> list[str]:
        return [str(self._environment / "bin" / "mlserver"), "start", str(self._directory)]


class KServe(ForeignServer):
    """KServe's ModelServer, which answers as any version."""

    folder = "kserve_words"

    def _command(self) -> list[str]:
        return [str(self._environment / "bin" / "python"), "serve.py", str(self.port)]
