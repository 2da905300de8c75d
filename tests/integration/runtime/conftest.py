"""The runtime as a process, on a real Triton, PostgreSQL, bus and S3."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from model_runtime.registry import Registry
from tests.integration.bus_probe import TOPIC_ARN, Bus
from tests.integration.mlflow_server import MlflowServer
from tests.integration.ports import free_port
from tests.integration.postgres import Database
from tests.integration.runtime.parrot.model import Model
from tests.integration.runtime.process import Runtime
from tests.integration.runtime.requests import Requests
from tests.integration.s3 import S3
from tests.integration.triton import Triton

StartRuntime = Callable[..., Runtime]
RunProgram = Callable[..., subprocess.CompletedProcess[str]]

AWS_KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="session")
def triton() -> Iterator[Triton]:
    """Two versions of the parrot, called "sentiment"."""
    triton = Triton()
    for version in (1, 2):
        triton.add("sentiment", str(version), Model(version=version))
    with triton:
        yield triton


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with S3() as server:
        yield server


@pytest.fixture(scope="session")
def mlflow() -> Iterator[MlflowServer]:
    """A registry for all tests; versions get their numbers as the tests come."""
    with MlflowServer() as server:
        yield server


@pytest.fixture(scope="session")
def registry(mlflow: MlflowServer) -> Registry:
    return Registry(mlflow.uri)


@pytest.fixture
def run_program(mlflow: MlflowServer, tmp_path: Path) -> RunProgram:
    """Runs `python -m module arguments` as a user does."""

    def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, "MLFLOW_TRACKING_URI": mlflow.uri},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def requests(database: Database, bus: Bus) -> Requests:
    return Requests(database, bus)


@pytest.fixture(scope="session")
def lone_environment(s3: S3, triton: Triton) -> dict[str, str]:
    """Of a runtime that never had a database or a bus: its gRPC door does without."""
    nowhere = str(free_port())
    return {
        **s3.environment,
        **AWS_KEYS,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{nowhere}",
        "PGHOST": "127.0.0.1",
        "PGPORT": nowhere,
        "PMESH_TOPIC_ARN": TOPIC_ARN,
        "PMESH_TRITON_ADDRESS": triton.address,
    }


@pytest.fixture(scope="module")
def lone_runtime(lone_environment: dict[str, str]) -> Iterator[Runtime]:
    with Runtime(lone_environment) as runtime:
        runtime.wait_until_serving()
        yield runtime


@pytest.fixture
def start_runtime(database: Database, bus: Bus, s3: S3, triton: Triton) -> Iterator[StartRuntime]:
    """Starts runtimes and waits until they serve; keyword arguments are PMESH_* variables."""
    parts = {
        **database.environment,
        **bus.environment,
        **s3.environment,
        "PMESH_TRITON_ADDRESS": triton.address,
    }
    with ExitStack() as runtimes:

        def start(**variables: str) -> Runtime:
            runtime = runtimes.enter_context(Runtime({**parts, **variables}))
            runtime.wait_until_serving()
            return runtime

        yield start


@pytest.fixture
def runtime(start_runtime: StartRuntime) -> Runtime:
    """A runtime that serves."""
    return start_runtime()
