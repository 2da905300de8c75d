"""A model's worker as a process, on a real Triton, PostgreSQL, bus and S3."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from database.logins import worker_login
from tests.integration.model_runtime.process import Worker
from tests.integration.model_runtime.requests import Exchange
from tests.parts.bus_probe import Bus
from tests.parts.catalog import environment, register
from tests.parts.postgres import Database
from tests.parts.s3 import S3
from tests.parts.triton import Triton

StartWorker = Callable[..., Worker]


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
