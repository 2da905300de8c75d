"""Images and jobs as a pipeline uses them, with real servers around them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from models.genre.model import Model
from tests.integration.deploy.images import Images
from tests.integration.deploy.jobs import Jobs
from tests.integration.postgres import Database, Postgres
from tests.integration.triton import Triton


@pytest.fixture(scope="package")
def images() -> Iterator[Images]:
    missing = [tool for tool in ("buildah", "debootstrap") if shutil.which(tool) is None]
    if os.getuid() != 0:
        missing.append("root")
    if missing:
        message = f"left out: building images needs {', '.join(missing)}: apt install buildah"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    with Images() as images:
        yield images


@pytest.fixture(scope="package")
def triton() -> Iterator[Triton]:
    with Triton() as triton:
        yield triton


@pytest.fixture(scope="package")
def catalog(postgres: Postgres) -> Iterator[Database]:
    """A database that knows the model genre."""
    database = postgres.create_database()
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO models (id, labels, address) VALUES ('genre', %s, 'unused:1')",
            (list(Model.labels),),
        )
    yield database
    postgres.drop_database(database)


@pytest.fixture(scope="package")
def jobs(tmp_path_factory: pytest.TempPathFactory, triton: Triton, catalog: Database) -> Jobs:
    """The jobs on one registry, one Triton and one database."""
    directory: Path = tmp_path_factory.mktemp("jobs")
    return Jobs(
        directory,
        {
            **catalog.environment,
            "MLFLOW_TRACKING_URI": f"sqlite:///{directory}/mlflow.db",
            "PMESH_TRITON_REPOSITORY": str(triton.repository),
            "PMESH_TRITON_HTTP": f"127.0.0.1:{triton.http_port}",
        },
    )


@pytest.fixture(scope="package")
def released(jobs: Jobs) -> str:
    """The version of genre that was trained and has all the traffic."""
    version = jobs.output("train.sh", "genre").splitlines()[-1]
    jobs.output("deploy.sh", "release", f"genre@{version}", "--reason", "the first")
    return version
