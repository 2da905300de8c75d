"""A model's worker as a process, on a real Triton, PostgreSQL, bus and S3."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from database.logins import worker_login
from modelkit.registry import Registry
from tests.integration.bus_probe import Bus
from tests.integration.mlflow_server import MlflowServer
from tests.integration.postgres import Database
from tests.integration.runtime.parrot.model import Model
from tests.integration.runtime.process import Worker
from tests.integration.runtime.requests import Exchange
from tests.integration.s3 import S3
from tests.integration.triton import Triton
from tests.parts.catalog import environment, register

StartWorker = Callable[..., Worker]
RunProgram = Callable[..., subprocess.CompletedProcess[str]]


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
            [sys.executable, "-P", "-m", module, *arguments],
            env={**os.environ, "MLFLOW_TRACKING_URI": mlflow.uri},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def requests(database: Database, bus: Bus, triton: Triton) -> Exchange:
    """The model "sentiment" is registered, with the versions that Triton has."""
    register(database, {"sentiment": ["1", "2"]}, address=triton.address)
    return Exchange(database, bus)


@pytest.fixture
def start_worker(database: Database, bus: Bus, s3: S3, requests: Exchange) -> Iterator[StartWorker]:
    """Starts workers of the registered model; keyword arguments are environment variables."""
    login = environment(database, worker_login("sentiment"))
    parts = {**login, **bus.environment, **s3.environment}
    with ExitStack() as workers:

        def start(**variables: str) -> Worker:
            worker = workers.enter_context(Worker({**parts, **variables}))
            worker.wait_until_started()
            return worker

        yield start


@pytest.fixture
def worker(start_worker: StartWorker) -> Worker:
    """A worker that has started."""
    return start_worker()
