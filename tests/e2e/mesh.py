"""The whole stack as a test sees it: asked from outside, with parts stopped and killed."""

import os
import pkgutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import boto3
import grpc
import httpx
import psycopg
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from pmesh.cli.running import running_stack
from pmesh.stack.control import Stack
from pmesh.stack.environment import aws_environment
from pmesh.stack.postgres import DATABASE, OWNER
from pmesh.stack.processes import session_members
from pmesh.stack.status import State
from tests.parts.bus_probe import Bus
from tests.parts.doors import Grpc, Rest
from tests.parts.faults import FAULTS
from tests.parts.polling import wait_until

MODELS = ("sentiment", "genre")
# A stack under test does soon what others do in good time.
_WORKER = {"PMESH_LEASE_S": "2", "PMESH_RECEIVE_WAIT_S": "2"}
IMPATIENT: Mapping[str, Mapping[str, str]] = {
    "relay": {
        "PMESH_RELAY_MAX_IN_FLIGHT": "50",
        "PMESH_RELAY_RECEIVE_WAIT_S": "1",
        "PMESH_RELAY_SWEEP_S": "0.5",
        "PMESH_RELAY_DEAD_LETTERS_S": "0.5",
        "PMESH_RELAY_REARM_AFTER_S": "2",
        "PMESH_RELAY_LOST_AFTER_S": "10",
    },
    **{f"worker-{model}": _WORKER for model in MODELS},
    "rollout": {
        "PMESH_ROLLOUT_POLL_S": "2",
        "PMESH_ROLLOUT_IDLE_S": "2",
        # They are as good as each other, as far as a handful of examples can tell.
        "PMESH_QUALITY_MARGIN": "0.5",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "2",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    },
}
# A gateway that was restarted is found at once.
_CHANNEL_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
]


class Emulator:
    """SNS, SQS and S3 of the stack."""

    def __init__(self, stack: Stack, ports: Mapping[str, int]) -> None:
        self.environment = aws_environment(
            port=ports["aws"],
            s3_port=ports["s3"],
            key_id="predict-mesh",
            secret=stack.home.secret("s3"),
        )

    def client(self, service: str) -> Any:
        address = "AWS_ENDPOINT_URL_S3" if service == "s3" else "AWS_ENDPOINT_URL"
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.environment[address],
            region_name=self.environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )


class Fault:
    """A kill that waits for its call; see faults/sitecustomize.py."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    @property
    def deaths(self) -> int:
        """How often it has fired."""
        return len(self._marker.read_text().splitlines()) if self._marker.exists() else 0


class Mesh:
    """A running stack."""

    def __init__(self, stack: Stack) -> None:
        status = stack.status()
        assert status is not None
        self.stack = stack
        self.ports = status.ports
        self.url = f"http://127.0.0.1:{status.gateway_port}"
        self.address = f"127.0.0.1:{status.gateway_port}"
        self.rest = Rest(httpx.Client(base_url=self.url, timeout=30, trust_env=False))
        self.grpc = Grpc(grpc.insecure_channel(self.address, options=_CHANNEL_OPTIONS))
        self.predictions = PredictionServiceStub(self.grpc.channel)
        self.aws = Emulator(stack, status.ports)
        environment = running_stack(stack.home.path).release_environment()
        self.triton = environment["PMESH_TRITON_ADDRESS"]
        """Where Triton answers."""

    def close(self) -> None:
        """Hang up."""
        self.rest.client.close()
        self.grpc.channel.close()

    @property
    def bus(self) -> Bus:
        """The bus from outside."""
        return Bus(self.aws)  # type: ignore[arg-type]

    def query(self, sql: LiteralString, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self.ports["postgres"],
            dbname=DATABASE,
            user=OWNER,
            password=self.stack.home.secret(f"postgres-{OWNER}"),
            connect_timeout=2,
        ) as connection:
            return connection.execute(sql, parameters).fetchall()

    @contextmanager
    def stopped(self, part: str) -> Iterator[None]:
        """A part that stands still with all its processes, its connections open."""
        session = self.stack.part(part).pid
        assert session is not None
        members = session_members(session)
        for pid in members:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in members:
                with suppress(ProcessLookupError):  # the test has killed it
                    os.kill(pid, signal.SIGCONT)

    @contextmanager
    def fault(self, part: str, place: str, *, text: str = "", times: int = 1) -> Iterator[Fault]:
        """Restart a part with a fault in it; at the end it runs without."""
        pkgutil.resolve_name(place.rpartition(":")[0])  # or it would never fire
        marker = self.stack.home.path / f"fault-{uuid4().hex}"
        variables = {
            "PYTHONPATH": str(FAULTS),
            "FAULT": place,
            "FAULT_MARKER": str(marker),
            "FAULT_TEXT": text,
            "FAULT_TIMES": str(times),
        }
        self.restart(part, variables)
        fault = Fault(marker)
        try:
            yield fault
        finally:
            self._set_environment(part, {})
            if fault.deaths < times:  # it is still armed
                self.restart(part, {})

    def restart(self, part: str, environment: Mapping[str, str]) -> None:
        """Stop a part in order and have it started with more variables."""
        self._set_environment(part, environment)
        wait_until(lambda: self.stack.part(part).state is State.READY)
        self.wait_ready(part, after=self.stack.kill(part, signal.SIGTERM))

    def wait_ready(self, part: str, *, after: int) -> None:
        """Wait for the start that follows the process `after`."""

        def is_ready() -> bool:
            status = self.stack.part(part)
            return status.state is State.READY and status.pid != after

        wait_until(is_ready)

    def _set_environment(self, part: str, environment: Mapping[str, str]) -> None:
        self.stack.set_environment(part, {**IMPATIENT.get(part, {}), **environment})
