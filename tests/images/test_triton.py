"""The image that Triton runs from, with the tritonserver of this machine's packages in it."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from inference.blocking import is_live
from inference.repository import KeyRefused, RepositoryApi
from tests.images.images import Container, Images
from tests.images.standins import MACHINE_PACKAGES, mounted_packages
from tests.parts.polling import wait_until
from tests.parts.ports import free_port, listens

pytestmark = pytest.mark.timeout(1200)

BIN = f"{MACHINE_PACKAGES}/pytriton/tritonserver/bin"
KEY = "a-key-for-tests"
EVERYWHERE_BUT_LOOPBACK = "127.0.0.2"
"""Who listens on 127.0.0.1 does not answer here; who listens on all addresses does."""


@dataclass(frozen=True)
class Ports:
    """Where it would answer."""

    grpc: int
    http: int
    metrics: int


@pytest.fixture(scope="module")
def base(images: Images, triton_image: str) -> Container:
    return images.container(triton_image)


@pytest.fixture(scope="module")
def ports(base: Container, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """Of a server that was started by the image's default command, on no models."""
    models: Path = tmp_path_factory.mktemp("models")
    models.chmod(0o755)  # the container's user is another
    ports = Ports(free_port(), free_port(), free_port())
    process = base.start(
        f"--grpc-port={ports.grpc}",
        f"--http-port={ports.http}",
        f"--metrics-port={ports.metrics}",
        volumes=[mounted_packages(), f"{models}:/models"],
        variables={
            "PMESH_TRITON_KEY": KEY,
            "PATH": f"{BIN}:/opt/venv/bin:/usr/local/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": f"{MACHINE_PACKAGES}/nvidia_pytriton.libs",
        },
    )
    wait_until(lambda: is_live(f"127.0.0.1:{ports.grpc}"))
    yield ports
    base.stop(process)


def test_triton_finds_what_its_models_import(
    images: Images, triton_image: str, base: Container
) -> None:
    config = images.describe(triton_image)["config"]
    assert config["Cmd"] == ["triton.sh"]
    assert config["User"] == "10001"
    assert base.run("sh", "-c", "command -v python3").strip() == "/opt/venv/bin/python3"
    base.run("python3", "-c", "import numpy, safetensors, torch", volumes=[mounted_packages()])
    assert {"numpy", "safetensors", "torch"} <= base.packages().keys()


def test_triton_is_told_nothing_by_who_has_no_key(ports: Ports) -> None:
    address = f"127.0.0.1:{ports.grpc}"
    assert RepositoryApi(address, key=KEY).loaded() == []
    with pytest.raises(KeyRefused):
        RepositoryApi(address, key="another").load("evil")


def test_triton_has_no_door_for_a_browser_and_none_for_other_machines(ports: Ports) -> None:
    assert not listens(ports.http)
    assert listens(ports.metrics)
    for port in (ports.grpc, ports.metrics):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((EVERYWHERE_BUT_LOOPBACK, port), timeout=2)


def test_triton_has_the_probe_that_the_chart_runs(base: Container, ports: Ports) -> None:
    probe = ("python", "-P", "-m", "inference.liveness", f"127.0.0.1:{ports.grpc}")
    assert base.run(*probe, variables={"PMESH_TRITON_KEY": KEY}) == ""
