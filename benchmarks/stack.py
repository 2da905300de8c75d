"""A local stack of its own, in a directory that is gone afterwards."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import Parts
from benchmarks.questions import MODEL
from pmesh.stack.control import Stack
from pmesh.stack.ports import assign_ports
from pmesh.stack.postgres import OWNER, ROLES, Postgres

SERVING = ("gateway", f"runtime-{MODEL}", "triton", "postgres", "relay", "aws", "s3")
"""The parts that a prediction takes time of."""


class RunningStack:
    """Where the parts are, and free ports for the programs beside them."""

    def __init__(self, stack: Stack, ports: dict[str, int]) -> None:
        status = stack.status()
        assert status is not None
        self._stack = stack
        self.ports = ports
        self.gateway = f"127.0.0.1:{status.gateway_port}"
        self.triton = f"127.0.0.1:{status.ports['triton-grpc']}"
        self.aws = f"http://127.0.0.1:{status.ports['aws']}"
        self.model = stack.home.path / "triton_repo" / MODEL / "1"
        self.postgres = Postgres(
            stack.home.path / "postgres",
            port=status.ports["postgres"],
            passwords={role: stack.home.secret(f"postgres-{role}") for role in ROLES},
        )
        self.conninfo = self.postgres.conninfo(OWNER)

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
        ports = assign_ports(Path(directory, "own-ports.json"), ("gateway", "plain", "recording"))
        stack = Stack(Path(directory, "home"), gateway_port=ports["gateway"])
        try:
            stack.start()
            yield RunningStack(stack, ports)
        finally:
            stack.stop()
