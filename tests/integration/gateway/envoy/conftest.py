"""One gateway for each contract, for all tests of Envoy's filters."""

from collections.abc import Iterator

import pytest

from tests.integration.gateway.envoy.gateway_process import GatewayProcess, echo_settings
from tests.integration.gateway.envoy.kinds_gateway import KindsGateway


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    log = tmp_path_factory.mktemp("envoy") / "stderr.log"
    settings = echo_settings(cors_origins=("https://app.example.com",))
    with GatewayProcess(log=log, settings=settings) as process:
        yield process
    # The REST front filter lets a request pass when its script fails, and says so here.
    assert "[lua]" not in process.log


@pytest.fixture(scope="session")
def kinds_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KindsGateway]:
    with KindsGateway(directory=tmp_path_factory.mktemp("kinds")) as gateway:
        yield gateway
    assert "[lua]" not in gateway.log
