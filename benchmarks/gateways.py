"""Gateways beside the stack's own, each with settings of its own, on its database and Triton."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.h2load import Call, call_grpc
from benchmarks.load import Load
from benchmarks.ports import free_port
from benchmarks.processes import PartDiedError
from benchmarks.questions import MODEL, PREDICT
from benchmarks.stack import RunningStack
from benchmarks.wrk import post_json
from database.logins import GATEWAY
from pmesh.stack.environment import base_environment
from pmesh.stack.readiness import answers_http

IN_FLIGHT = 64
_START_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """One that answers."""

    port: int
    process: "subprocess.Popen[bytes]"
    token: str
    """For it; "" if it asks for none."""

    def rest(self, bodies: Path, seconds: float) -> Load:
        """What it answers in so long to the lines of a file."""
        url = f"http://127.0.0.1:{self.port}/v1/models/{MODEL}:predict"
        return post_json(url, bodies, in_flight=IN_FLIGHT, seconds=seconds, token=self.token)

    def grpc(self, message: bytes, seconds: int) -> Load:
        """The same by gRPC, asked one message again and again."""
        call = Call(f"127.0.0.1:{self.port}", PREDICT, message)
        return call_grpc([call], in_flight=IN_FLIGHT, amount=f"-D{seconds}")


@contextmanager
def gateway(
    stack: RunningStack, variables: Mapping[str, str], *, token: str = ""
) -> Iterator[Gateway]:
    """Start one; it ends with the block. Raises PartDiedError.

    variables: its settings. token: the one that they have it ask for.
    """
    port = free_port()
    folder = stack.directory / f"gateway-{port}"
    folder.mkdir()
    environment = {
        **base_environment(os.environ),
        **stack.postgres.environment(GATEWAY.name),
        "PMESH_GATEWAY_PORT": str(port),
        "PMESH_GATEWAY_ADMIN_PORT": str(free_port()),
        "PMESH_GATEWAY_METRICS_PORT": str(free_port()),
        "PMESH_FEATURES_SPOOL": str(folder),
        **variables,
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            stack.program("gateway.main"), env=environment, cwd=folder, stderr=log
        )
    try:
        _wait_until_ready(process, port)
        yield Gateway(port=port, process=process, token=token)
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + _START_S
    while not answers_http(port, "/readyz"):
        if process.poll() is not None or time.monotonic() > until:
            raise PartDiedError(f"a gateway at port {port} did not start")
        time.sleep(0.1)
