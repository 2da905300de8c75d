"""A local stack of its own, in a directory that is gone afterwards."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import Parts
from benchmarks.questions import MODEL
from pmesh.cli.running import running_stack as local_stack
from pmesh.stack.control import Stack
from pmesh.stack.postgres import OWNER, ROLES, Postgres

SHARED = ("triton", "postgres", "relay", "aws", "s3")
"""The parts that whatever asks Triton and keeps a record takes time of."""
SERVING = ("gateway", f"runtime-{MODEL}", *SHARED)
"""The parts that a prediction takes time of."""


class RunningStack:
    """Where the parts are."""

    def __init__(self, stack: Stack) -> None:
        status = stack.status()
        assert status is not None
        self._stack = stack
        self.gateway = f"127.0.0.1:{status.gateway_port}"
        self.triton = f"127.0.0.1:{status.ports['triton-grpc']}"
        self.aws = f"http://127.0.0.1:{status.ports['aws']}"
        self.directory = stack.home.path
        self.version = "1"
        self.postgres = Postgres(
            self.directory / "postgres",
            port=status.ports["postgres"],
            passwords={role: stack.home.secret(f"postgres-{role}") for role in ROLES},
        )
        self.conninfo = self.postgres.conninfo(OWNER)

    @property
    def model(self) -> Path:
        """The files of the version that has the traffic."""
        return self.directory / "triton_repo" / MODEL / self.version

    def train(self, *options: str) -> str:
        """A new version of the model; its number."""
        return self._run("model_runtime.train", MODEL, *options).split()[-1]

    def release(self, version: str) -> None:
        """Give a version all the traffic, however good it is."""
        self._run("rollout", "release", f"{MODEL}@{version}", "--margin", "1")
        self.version = version

    def environment(self) -> dict[str, str]:
        """Of the programs that train and release."""
        return local_stack(self.directory).release_environment()

    def _run(self, module: str, *arguments: str) -> str:
        command = (sys.executable, "-m", module, *arguments)
        return subprocess.run(
            command, env=self.environment(), stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    def parts(self, *names: str) -> Parts:
        """The running processes of these parts, or of all."""
        status = self._stack.status()
        assert status is not None
        return {
            part.name: part.pid
            for part in status.parts
            if part.pid is not None and (not names or part.name in names)
        }


@contextmanager
def running_stack() -> Iterator[RunningStack]:
    """Start everything, models trained; stop it at the end. Raises StackFailedError."""
    with tempfile.TemporaryDirectory(prefix="pmesh-bench-") as directory:
        stack = Stack(Path(directory, "home"), gateway_port=free_port())
        try:
            stack.start()
            yield RunningStack(stack)
        finally:
            stack.stop()


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
