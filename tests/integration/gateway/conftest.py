from collections.abc import AsyncIterator

import pytest
from psycopg_pool import AsyncConnectionPool

from gateway.store.predictions import PredictionStore
from tests.integration.postgres import Database


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[AsyncConnectionPool]:
    async with AsyncConnectionPool(
        database.conninfo, kwargs={"autocommit": True}, min_size=2, max_size=4, open=False
    ) as pool:
        yield pool


@pytest.fixture
async def store(pool: AsyncConnectionPool) -> PredictionStore:
    return PredictionStore(pool, max_waiting=10_000)
