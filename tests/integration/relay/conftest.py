"""The relay as a process, on a bus with the queues of two models."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from database.logins import RELAY
from tests.integration.relay.process import Relay
from tests.parts.bus_probe import MODELS, Bus
from tests.parts.catalog import environment, register
from tests.parts.postgres import Database
from tests.parts.requests import Requests

StartRelay = Callable[..., Relay]


@pytest.fixture
def requests(database: Database) -> Requests:
    """The requests of the test's database, with the bus's models registered."""
    register(database, {model: ["1"] for model in MODELS})
    return Requests(database)


@pytest.fixture
def start_relay(database: Database, bus: Bus) -> Iterator[StartRelay]:
    """Starts relays; keyword arguments are PMESH_RELAY_* variables in lower case.

    aws: where S3 is, if it is elsewhere than the bus.
    """
    parts = {**environment(database, RELAY), **bus.environment}
    with ExitStack() as relays:

        def start(
            *, patch: str = "", aws: Mapping[str, str] | None = None, **limits: float
        ) -> Relay:
            return relays.enter_context(Relay({**parts, **(aws or {})}, patch=patch, **limits))

        yield start
