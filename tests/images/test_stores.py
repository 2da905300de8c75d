"""The images of what keeps data: PostgreSQL, and Label Studio."""

from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.images.images import Container, Images
from tests.images.standins import ROOT
from tests.images.test_programs import USER, running
from tests.parts.polling import wait_until
from tests.parts.ports import free_port

pytestmark = pytest.mark.timeout(1800)  # Label Studio's packages, and the tables of its first start

FIRST_START_S = 600.0


@pytest.mark.parametrize("name", ["postgres", "label-studio"])
def test_it_runs_as_a_user_that_can_change_nothing(
    program: Callable[[str], Container], name: str
) -> None:
    assert program(name).run("id", "-u").strip() == str(USER)
    assert program(name).writable() <= {"/var/tmp", "/run/lock"}  # noqa: S108


def test_postgres_has_what_backs_it_up(images: Images, program: Callable[[str], Container]) -> None:
    """Its server is that of the public image, which a machine like this cannot have."""
    postgres = program("postgres")
    found = postgres.packages("/opt/barman")
    assert locked("deploy/docker/postgres/barman.txt").items() <= found.items()
    for script in ("backup.sh", "restore.sh", "databases.sh"):
        assert script in postgres.run(script, "--help")
    assert postgres.run("barman-cloud-wal-archive", "--version")
    assert postgres.run("ls", "/docker-entrypoint-initdb.d").split() == ["databases.sh"]
    assert images.secret not in str(images.describe(images.build("--program", "postgres")))


def test_label_studio_answers(program: Callable[[str], Container], tmp_path: Path) -> None:
    studio, port = program("label-studio"), free_port()
    assert studio.packages() == locked("annotation/label_studio.txt")
    tmp_path.chmod(0o777)  # the container's user is another
    variables = {"DJANGO_DB": "sqlite", "LABEL_STUDIO_BASE_DATA_DIR": "/data"}
    options = ("--port", str(port))
    with running(studio, *options, volumes=[f"{tmp_path}:/data"], variables=variables) as terminate:
        wait_until(lambda: is_well(port), timeout_s=FIRST_START_S)
        terminate()
    assert (tmp_path / "label_studio.sqlite3").exists()


def is_well(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def locked(file: str) -> dict[str, str]:
    """The packages of a list, with their versions."""
    lines = (ROOT / file).read_text().splitlines()
    return dict(line.partition(" ;")[0].split("==") for line in lines if "==" in line)
