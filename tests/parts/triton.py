"""A real Triton for tests, and faults to it."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tritonclient.grpc.service_pb2 import ModelMetadataRequest, ModelMetadataResponse

from inference.blocking import is_live, stub
from inference.repository import RepositoryApi
from modelkit.abstract_model import AbstractModel
from modelkit.artifact import digest, write_artifact
from pmesh.stack import tritonserver
from telemetry.settings import read_traces
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from triton_repo.writer import write_version

KEY = "a-key-for-tests"


class Triton:
    """One server with a repository of its own; lay versions into it before it starts."""

    def __init__(self, repository: Path | None = None, **variables: str) -> None:
        """repository: that of another server, to load from it as well.

        variables: for its environment; those of OTLP have it send spans.
        """
        self._variables = variables
        self._directory = Path(tempfile.mkdtemp(prefix="triton-"))  # which nobody else may enter
        self.repository = repository or self._directory / "repository"
        self.repository.mkdir(exist_ok=True)
        self._backends = self._directory / "backends"
        self.address = tritonserver.address(self._directory)
        """Of its gRPC: unix: and a path."""
        self.key = KEY
        self.metrics_port = free_port()
        self.control = RepositoryApi(self.address, key=KEY)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        tritonserver.prepare_backends(self._backends)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._directory)

    @property
    def pid(self) -> int:
        """Of the server."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What the server has written."""
        return (self._directory / "log").read_text(errors="replace")

    @property
    def environment(self) -> dict[str, str]:
        """By which a release finds it."""
        return {
            "PMESH_TRITON_ADDRESS": self.address,
            "PMESH_TRITON_KEY": self.key,
            "PMESH_TRITON_REPOSITORY": str(self.repository),
        }

    def add(
        self, name: str, version: str, model: AbstractModel, *changes: Callable[[Path], None]
    ) -> None:
        """Lay a version into the repository. changes: of its artifact, before."""
        with tempfile.TemporaryDirectory() as scratch:
            artifact = Path(scratch) / "model"
            write_artifact(model, artifact)
            for change in changes:
                change(artifact)
            write_version(self.repository, name, version, artifact, sha256=digest(artifact))

    def load(self, name: str) -> None:
        """Have the running server look at a model's folder again."""
        self.control.load(name)

    def reload(self, name: str) -> None:
        """Start the processes of a model again."""
        self.control.unload(name)
        self.control.load(name)

    def start(self) -> None:
        command = tritonserver.command(
            repository=self.repository,
            backends=self._backends,
            sockets=self._directory,
            metrics_port=self.metrics_port,
            memory_prefix=f"{self._directory.name}-",
            key=KEY,
            traces=read_traces(self._variables).endpoint,
        )
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                env=tritonserver.environment({**os.environ, **self._variables}),
                stdout=log,
                stderr=log,
            )
        wait_until(self._is_ready)

    def kill(self) -> None:
        """SIGKILL to the server and to the processes of its models."""
        assert self._process is not None
        stubs = self._stubs()
        self._process.kill()
        self._process.wait()
        for pid in stubs:
            _kill(pid)
        for region in Path("/dev/shm").glob(f"{self._directory.name}-*"):  # noqa: S108
            region.unlink()

    def end(self) -> None:
        """SIGTERM, and its end: meanwhile it answers nothing any more on what is connected."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(100)

    def restart_in_order(self) -> None:
        """As an update of what it runs on does."""
        self.end()
        self.start()

    def restart(self) -> None:
        """As its supervisor does."""
        self.kill()
        self.start()

    def kill_stub(self, name: str, version: str) -> None:
        """SIGKILL to the process of one version; the server lives on."""
        # A load starts all versions anew; the processes before are gone a little later.
        wait_until(lambda: len(self._stubs_of(name, version)) == 1)
        (stub,) = self._stubs_of(name, version)
        _kill(stub)

    def has_stub(self, name: str, version: str) -> bool:
        """Whether the process of a version lives."""
        return self._stubs_of(name, version) != []

    def _stubs_of(self, name: str, version: str) -> list[int]:
        return [stub for stub in self._stubs() if f"/{name}/{version}/" in _command_line(stub)]

    def declared(self, model: str, version: str) -> ModelMetadataResponse:
        """What it says of a version."""
        request = ModelMetadataRequest(name=model, version=version)
        with stub(self.address) as server:
            return server.ModelMetadata(request, timeout=5)

    def _stubs(self) -> list[int]:
        stub = str(self._backends / "python" / tritonserver.STUB)
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
        return [pid for pid in pids if _command_line(pid).startswith(stub)]

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "log").read_text()[-1000:]
        return is_live(self.address)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:  # it has just ended
        return ""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
