"""Real servers, started once for the run; each test gets a clean share of them."""

from collections.abc import Iterator

import pytest

from tests.integration.aws import Aws
from tests.integration.bus_probe import Bus
from tests.integration.postgres import Database, Postgres


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
