"""A registry and a Triton for all tests; a database and an empty repository for each."""

from collections.abc import Iterator

import pytest

from tests.integration.rollout.workshop import Workshop
from tests.parts.postgres import Database
from tests.parts.triton import Triton


@pytest.fixture(scope="package")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One for all, since MLflow takes long to make its tables."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture(scope="package")
def empty_triton() -> Iterator[Triton]:
    with Triton() as triton:
        yield triton


@pytest.fixture
def workshop(
    tracking_uri: str,
    empty_triton: Triton,
    database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Workshop]:
    # MLflow without a server keeps artifacts in the working directory.
    monkeypatch.chdir(tmp_path_factory.getbasetemp())
    workshop = Workshop(tracking_uri=tracking_uri, triton=empty_triton, database=database)
    yield workshop
    workshop.close()
