"""The jobs as a pipeline uses them, with real servers around them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from mlflow import MlflowClient

from database.logins import GATEWAY, ROLLOUT
from database.registration import Registration, register_models
from models.genre.model import Model
from pmesh.stack.readiness import answers_http
from tests.integration.deploy.jobs import Jobs
from tests.parts.catalog import environment
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
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
def jobs(
    tmp_path_factory: pytest.TempPathFactory, triton: Triton, catalog: Database
) -> Iterator[Jobs]:
    """The jobs on one registry, one Triton and one database, with a gateway and who releases."""
    directory: Path = tmp_path_factory.mktemp("jobs")
    registry = {"MLFLOW_TRACKING_URI": f"sqlite:///{directory}/mlflow.db"}
    port = free_port()
    gateway = {
        "PMESH_GATEWAY_PORT": str(port),
        "PMESH_GATEWAY_ADMIN_PORT": str(free_port()),
        "PMESH_GATEWAY_METRICS_PORT": str(free_port()),
        "PMESH_FEATURES_SPOOL": str(directory / "spool"),
    }
    (directory / "spool").mkdir()
    # Two programs that make the registry's tables at once get into each other's way.
    MlflowClient(registry["MLFLOW_TRACKING_URI"]).search_experiments()
    with ExitStack() as programs:
        variables = environment(catalog, GATEWAY) | gateway
        programs.enter_context(running("gateway.main", directory=directory, variables=variables))
        variables = environment(catalog, ROLLOUT) | triton.environment | registry
        variables |= {"PMESH_ROLLOUT_METRICS_PORT": "0"}
        programs.enter_context(
            running("rollout", "watch", directory=directory, variables=variables)
        )
        wait_until(lambda: answers_http(port, "/healthz"))
        yield Jobs(directory, {**registry, "PMESH_GATEWAY": f"127.0.0.1:{port}"})


@contextmanager
def running(
    module: str, *arguments: str, directory: Path, variables: Mapping[str, str]
) -> Iterator[None]:
    """A program, until the end of the block."""
    command = [sys.executable, "-P", "-m", module, *arguments]
    with subprocess.Popen(command, cwd=directory, env={**os.environ, **variables}) as process:
        yield
        process.terminate()


@pytest.fixture(scope="package")
def released(jobs: Jobs) -> str:
    """The version of genre that was trained and has all the traffic."""
    version = jobs.output("train.sh", "genre").splitlines()[-1]
    jobs.output("deploy.sh", "release", f"genre@{version}", "--reason", "the first")
    return version
