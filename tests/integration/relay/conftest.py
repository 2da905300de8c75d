"""The relay as a process, on a bus with the queues of two models."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.integration.bus_probe import Bus
from tests.integration.postgres import Database
from tests.integration.relay.process import Relay
from tests.integration.relay.requests import Requests

StartRelay = Callable[..., Relay]


@pytest.fixture
def requests(database: Database) -> Requests:
    """The requests of the test's database, with the bus's models registered."""
    requests = Requests(database)
    requests.register_models()
    return requests


@pytest.fixture
def start_relay(database: Database, bus: Bus) -> Iterator[StartRelay]:
    """Starts relays; keyword arguments are PMESH_RELAY_* variables in lower case."""
    with ExitStack() as relays:

        def start(*, patch: str = "", **limits: float) -> Relay:
            environment = {**database.environment, **bus.environment}
            return relays.enter_context(Relay(environment, patch=patch, **limits))

        yield start
