"""One gateway with an access policy, whose issuer's keys are in a file."""

from collections.abc import Iterator

import pytest

from tests.integration.gateway.envoy.access.guarded import (
    PASSED,
    bearer,
    decision,
    guarded,
    predict,
)
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.parts.issuer import Issuer


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="session")
def gate(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "jwks.json").write_bytes(issuer.jwks())
    origins = ("https://app.example.com",)
    with guarded(folder, jwks=str(folder / "jwks.json"), cors_origins=origins) as process:
        yield process
        assert (
            decision(predict(process.port, "rest", bearer(issuer.token(roles=["app"])))) == PASSED
        )
    assert "eyJ" not in process.log  # as each token begins
