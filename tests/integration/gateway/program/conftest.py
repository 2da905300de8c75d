from collections.abc import Iterator

import pytest

from tests.integration.gateway.program.running import Running, running
from tests.parts.postgres import Postgres


@pytest.fixture(scope="module")
def gateway(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all of a file."""
    database = postgres.create_database()
    with running(database, str(tmp_path_factory.mktemp("spool"))) as gateway:
        yield gateway
    postgres.drop_database(database)
