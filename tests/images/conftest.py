"""Images as the job builds them, with real servers around their containers."""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.images.images import Container, Images
from tests.parts.aws import Aws
from tests.parts.bus_probe import Bus
from tests.parts.postgres import Database, Postgres


@pytest.fixture(scope="session")
def images() -> Iterator[Images]:
    missing = [tool for tool in ("buildah", "debootstrap") if shutil.which(tool) is None]
    if os.getuid() != 0:
        missing.append("root")
    if missing:
        message = f"left out: building images needs {', '.join(missing)}: apt install buildah"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    with Images() as images:
        yield images


@pytest.fixture(scope="session")
def worker_image(images: Images) -> str:
    return images.build("genre", "--base", "--version", "7")


@pytest.fixture(scope="session")
def worker(images: Images, worker_image: str) -> Container:
    return images.container(worker_image)


@pytest.fixture(scope="session")
def training(images: Images, worker_image: str) -> Container:
    return images.container(images.build("genre", "--target", "train"))


@pytest.fixture(scope="session")
def triton_image(images: Images) -> str:
    return images.build("--program", "triton")


@pytest.fixture(scope="session")
def program(images: Images) -> Callable[[str], Container]:
    """A container of a program's image, which is built when it is first asked for."""

    @cache
    def container(name: str) -> Container:
        return images.container(images.build("--program", name))

    return container


@pytest.fixture
def database() -> Iterator[Database]:
    with Postgres() as postgres:
        yield postgres.create_database()


@pytest.fixture
def bus() -> Iterator[Bus]:
    with Aws() as aws:
        bus = Bus(aws)
        bus.provision()
        yield bus
