"""The jobs as a pipeline uses them, with real servers around them."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from database.logins import ROLLOUT
from database.registration import Registration, register_models
from models.genre.model import Model
from tests.integration.deploy.jobs import Jobs
from tests.parts.catalog import environment
from tests.parts.postgres import Database, Postgres
from tests.parts.triton import Triton


@pytest.fixture(scope="package")
def triton() -> Iterator[Triton]:
    with Triton() as triton:
        yield triton


@pytest.fixture(scope="package")
def catalog(postgres: Postgres, triton: Triton) -> Iterator[Database]:
    """A database that knows the model genre."""
    database = postgres.create_database()
    genre = Registration(
        id="genre", description="", labels=list(Model.labels), address=triton.address
    )
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        register_models(connection, [genre])
    yield database
    postgres.drop_database(database)


@pytest.fixture(scope="package")
def jobs(tmp_path_factory: pytest.TempPathFactory, triton: Triton, catalog: Database) -> Jobs:
    """The jobs on one registry, one Triton and one database."""
    directory: Path = tmp_path_factory.mktemp("jobs")
    return Jobs(
        directory,
        {
            **environment(catalog, ROLLOUT),
            **triton.environment,
            "MLFLOW_TRACKING_URI": f"sqlite:///{directory}/mlflow.db",
        },
    )


@pytest.fixture(scope="package")
def released(jobs: Jobs) -> str:
    """The version of genre that was trained and has all the traffic."""
    version = jobs.output("train.sh", "genre").splitlines()[-1]
    jobs.output("deploy.sh", "release", f"genre@{version}", "--reason", "the first")
    return version
