from collections.abc import AsyncIterator

import pytest
from psycopg_pool import AsyncConnectionPool

from database.logins import GATEWAY
from gateway.store.predictions import PredictionStore
from tests.parts.catalog import environment
from tests.parts.postgres import Database


@pytest.fixture
async def pool(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AsyncConnectionPool]:
    """Connected as a gateway is; so is whoever else connects by the environment."""
    for name, value in environment(database, GATEWAY).items():
        monkeypatch.setenv(name, value)
    async with AsyncConnectionPool(
        kwargs={"autocommit": True}, min_size=2, max_size=4, open=False
    ) as pool:
        yield pool


@pytest.fixture
async def store(pool: AsyncConnectionPool) -> AsyncIterator[PredictionStore]:
    async with PredictionStore(pool, max_waiting=10_000) as store:
        yield store
