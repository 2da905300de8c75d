import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from database.logins import GATEWAY
from gateway.store.connections import Connections
from gateway.store.predictions import PredictionStore
from tests.parts.catalog import environment
from tests.parts.postgres import Database


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each of these tests runs in the loop that the gateway runs in."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def connections(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Connections]:
    """Connected as a gateway is; so is whoever else connects by the environment."""
    for name, value in environment(database, GATEWAY).items():
        monkeypatch.setenv(name, value)
    async with Connections(4) as connections:
        yield connections


@pytest.fixture
async def store(connections: Connections) -> AsyncIterator[PredictionStore]:
    async with PredictionStore(connections, max_waiting=10_000) as store:
        yield store
