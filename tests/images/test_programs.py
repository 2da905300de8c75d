"""The images of the programs at work, with real servers around them."""

import http.client
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import grpc
import numpy as np
import pytest
from predict.v1.model_service_pb2 import ListModelsRequest
from predict.v1.model_service_pb2_grpc import ModelServiceStub

from database.logins import GATEWAY, MONITORING, RELAY, ROLLOUT
from features.spool import Spool
from tests.images.images import Container
from tests.images.standins import ROOT, mounted_packages
from tests.parts.bus_probe import TOPIC_ARN, Bus
from tests.parts.catalog import environment, register
from tests.parts.observed import Observed, observe
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import Database
from tests.parts.requests import accept

pytestmark = pytest.mark.timeout(1200)

DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile.programs"
# The format of images that buildah writes has no place for it.
HEALTHCHECK = re.compile(r"^HEALTHCHECK .*\n +CMD (\[.*\])$", re.MULTILINE)
POSTGRES = "/postgres"
"""Where a container finds PostgreSQL's socket."""
USER = 10001
VOLUMES = {"tmp", "spool", "reports", "proc", "sys", "dev"}
"""Folders of the root that are no part of it, as the charts mount them."""
Program = Callable[[str], Container]


@pytest.fixture
def catalog(database: Database) -> Database:
    """A database with the model genre, which its first version serves."""
    register(database, {"genre": ["1"]})
    return database


def socket_of(database: Database) -> str:
    """A volume with the socket of a database's server."""
    directory = Path(database.environment["PGHOST"])
    directory.chmod(0o711)  # the container's user is another
    return f"{directory}:{POSTGRES}"


@contextmanager
def running(
    container: Container, *arguments: str, volumes: list[str], variables: dict[str, str]
) -> Iterator[Callable[[], int]]:
    """The program of an image; gives what sends it SIGTERM and answers with its exit status.

    It may write where the charts mount volumes, and nowhere else: its root is read-only there.
    """
    began_ns = time.time_ns()
    process = container.start(*arguments, volumes=volumes, variables=variables)
    try:
        yield lambda: container.terminate(process)
    finally:
        with suppress(ProcessLookupError):
            container.stop(process)
    assert written_by_the_program(container, began_ns) == []


def written_by_the_program(container: Container, since_ns: int) -> list[str]:
    """The files that are in none of its volumes."""
    written = []
    for folder, folders, names in os.walk(container.root):
        if Path(folder) == container.root:
            folders[:] = set(folders) - VOLUMES
        for path in (Path(folder, name) for name in names):
            status = path.lstat()
            if status.st_uid == USER and status.st_mtime_ns >= since_ns:
                written.append(str(path))
    return written


def has_looked(database: Database, program: str) -> bool:
    """Whether a program is connected and has asked for something."""
    query = "SELECT FROM pg_stat_activity WHERE application_name = %s AND query <> ''"
    with database.connect() as connection:
        return connection.execute(query, (program,)).fetchone() is not None


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def test_the_gateway_answers(program: Program, catalog: Database) -> None:
    port, admin_port = free_port(), free_port()
    variables = {
        **environment(catalog, GATEWAY),
        "PGHOST": POSTGRES,
        "PMESH_GATEWAY_PORT": str(port),
        "PMESH_GATEWAY_ADMIN_PORT": str(admin_port),
    }
    with running(
        program("gateway"), volumes=[socket_of(catalog)], variables=variables
    ) as terminate:
        wait_until(lambda: answers(port))
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            listed = ModelServiceStub(channel).ListModels(ListModelsRequest(), timeout=10)
        assert [model.id for model in listed.models] == ["genre"]
        health = json.loads(HEALTHCHECK.findall(DOCKERFILE.read_text())[0])
        program("gateway").run(*health, variables=variables)
        assert terminate() == 0


def test_the_relay_publishes(program: Program, catalog: Database, bus: Bus) -> None:
    variables = {**environment(catalog, RELAY), **bus.environment, "PGHOST": POSTGRES}
    with running(program("relay"), volumes=[socket_of(catalog)], variables=variables) as terminate:
        with catalog.connect() as connection:
            accept(connection, ["a text"], model="genre")
        wait_until(lambda: bus.depth("predict-genre") == 1)
        assert terminate() == 0


async def test_the_shipper_ships(program: Program, bus: Bus, tmp_path: Path) -> None:
    async with Spool(tmp_path, bucket="predict-features", max_bytes=1 << 20) as spool:
        spool.append("genre", "1", [str(uuid4())], np.ones((1, 4), np.float32))
    for path in (tmp_path, *tmp_path.iterdir()):
        os.chown(path, USER, USER)
    tmp_path.chmod(0o700)
    s3 = bus.aws.client("s3")
    with running(
        program("features"), volumes=[f"{tmp_path}:/spool"], variables=bus.environment
    ) as terminate:
        wait_until(lambda: s3.list_objects_v2(Bucket="predict-features")["KeyCount"] == 1)
        assert terminate() == 0


def test_rollout_watches(program: Program, catalog: Database, tmp_path: Path) -> None:
    variables = {
        **environment(catalog, ROLLOUT),
        "PGHOST": POSTGRES,
        "PGAPPNAME": "the-image",
        "MLFLOW_TRACKING_URI": "sqlite:////tmp/mlflow.db",
        "PMESH_TRITON_ADDRESS": "127.0.0.1:1",
        "PMESH_TRITON_KEY": "a-key-for-tests",
        "PMESH_TRITON_REPOSITORY": "/tmp/triton",  # noqa: S108
        "PMESH_ROLLOUT_POLL_S": "0.1",
    }
    volumes = [socket_of(catalog), mounted_packages()]
    with running(program("rollout"), volumes=volumes, variables=variables) as terminate:
        wait_until(lambda: has_looked(catalog, "the-image"))
        assert terminate() == 0


def test_monitoring_makes_what_is_due(program: Program, catalog: Database) -> None:
    said = Observed(time=datetime.now(UTC), model="genre", label="news", truth="news")
    with catalog.connect() as connection:
        observe(connection, [said])
    program("monitoring").run(
        *("python", "-P", "-m", "monitoring", "run"),
        volumes=[socket_of(catalog)],
        variables={**environment(catalog, MONITORING), "PGHOST": POSTGRES},
    )
    with catalog.connect() as connection:
        found = connection.execute(
            "SELECT value FROM quality_metrics WHERE metric = 'accuracy' AND slice = ''"
        )
        assert [row["value"] for row in found] == [1.0]


def test_monitoring_has_what_makes_the_reports(program: Program) -> None:
    code = "import os, evidently; os.mkdir('/reports/genre')"
    program("monitoring").run("/opt/evidently/bin/python", "-c", code)


def test_the_image_that_releases_also_provisions(
    program: Program, database: Database, bus: Bus
) -> None:
    bus.aws.reset()
    said = program("rollout").run(
        *("python", "-P", "-m", "pmesh.cli", "provision"),
        volumes=[socket_of(database)],
        variables={
            **database.environment,
            **bus.aws.environment,
            "PGHOST": POSTGRES,
            "PMESH_TRITON_ADDRESS": "triton:8001",
        },
    )
    lines = [line.split("\t") for line in said.splitlines()]
    assert ["topic", TOPIC_ARN, "ready"] in lines
    assert [name for kind, name, _ in lines if kind == "model"] == ["genre", "sentiment"]


@pytest.mark.parametrize("name", ["gateway", "relay", "features"])
def test_a_wrong_setting_ends_the_program(program: Program, name: str) -> None:
    wrong = {"PMESH_GATEWAY_PORT": "none", "PMESH_TOPIC_ARN": "none", "PMESH_FEATURES_SPOOL": ""}
    process = program(name).start(variables=wrong)
    assert process.wait(100) == 1
