"""The worker's image at work: between a real PostgreSQL, a real relay and a bus."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from database.logins import RELAY, worker_login
from tests.images.images import Container
from tests.parts.bus_probe import Bus
from tests.parts.catalog import environment, register
from tests.parts.oip_server import OipServer
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.requests import Requests, accept
from tests.parts.words_server import words_server

pytestmark = pytest.mark.timeout(1200)

POSTGRES = "/postgres"
"""Where the container finds PostgreSQL's socket."""


@pytest.fixture
def server() -> Iterator[OipServer]:
    """It says "review" of good words."""
    with words_server(model="genre") as server:
        yield server


@pytest.fixture
def catalog(database: Database, server: OipServer) -> Database:
    register(database, {"genre": ["1"]}, address=server.address)
    return database


@pytest.fixture
def relay(catalog: Database, bus: Bus) -> Iterator[None]:
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-P", "-m", "relay"],
        env={**os.environ, **environment(catalog, RELAY), **bus.environment},
    )
    yield
    process.kill()
    process.wait()


def test_a_worker_image_answers(
    worker: Container, catalog: Database, bus: Bus, relay: None
) -> None:
    login = environment(catalog, worker_login("genre"))
    directory = Path(login["PGHOST"])
    directory.chmod(0o711)  # the container's user is another
    process = worker.start(
        volumes=[f"{directory}:{POSTGRES}"],
        variables={**login, **bus.environment, "PGHOST": POSTGRES},
    )
    try:
        with catalog.connect() as connection:
            (accepted,) = accept(connection, ["good"], model="genre")
        requests = Requests(catalog)
        wait_until(lambda: requests.get(accepted)["state"] == "SUCCEEDED")
        answer = requests.get(accepted)
        assert answer["label"] == "review"
        assert answer["features_uri"].startswith("s3://predict-features/")
    finally:
        worker.stop(process)
