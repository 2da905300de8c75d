"""Real servers, started once for the run; each test gets a clean share of them."""

from collections.abc import Iterator

import pytest

from modelkit.registry import Registry
from tests.parts.aws import Aws
from tests.parts.bus_probe import Bus
from tests.parts.mlflow_server import MlflowServer
from tests.parts.parrot.model import Model
from tests.parts.postgres import Database, Postgres
from tests.parts.s3 import S3
from tests.parts.triton import Triton


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server, for tests that stop it or want several databases."""
    with Postgres() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """A database of the test's own, with all migrations applied."""
    database = postgres.create_database()
    yield database
    postgres.drop_database(database)


@pytest.fixture(scope="session")
def aws_server() -> Iterator[Aws]:
    with Aws() as server:
        yield server


@pytest.fixture
def aws(aws_server: Aws) -> Aws:
    """SNS, SQS and S3 with nothing in them."""
    aws_server.reset()
    return aws_server


@pytest.fixture
def bus(aws: Aws) -> Bus:
    """The topic and the queues, as the command makes them."""
    bus = Bus(aws)
    bus.provision()
    return bus


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
