"""Envoy and the application together, where callers need tokens: what the one verifies, the other
goes by.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from database.logins import GATEWAY
from gateway.envoy.front import Front
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.integration.gateway.program.running import running
from tests.parts.catalog import environment
from tests.parts.issuer import AUDIENCE, ISSUER, Issuer
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import Postgres

PREDICT = "/v1/models/sentiment:predict"
ROLES = {
    "app": {"predict": ["sentiment"]},
    "other-app": {"predict": ["silent"]},
    "analyst": {"read": ["*"]},
    "annotator": {"label": ["*"]},
}


class Asking:
    """A gateway that asks for tokens, and who makes them."""

    def __init__(self, port: int, issuer: Issuer) -> None:
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
        self._issuer = issuer

    def call(self, method: str, path: str, subject: str, role: str) -> httpx.Response:
        token = self._issuer.token(sub=subject, roles=[role])
        body = {"text": "a text"} if method == "POST" else None
        return self.client.request(
            method, path, json=body, headers={"authorization": f"Bearer {token}"}
        )


@pytest.fixture(scope="module")
def asking(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    folder, issuer = tmp_path_factory.mktemp("asking"), Issuer()
    database = postgres.create_database()
    access = _write_policy(folder, issuer)
    settings = Front(port=free_port(), admin_port=free_port(), access=access)
    variables = {
        **environment(database, GATEWAY),
        "PMESH_GATEWAY_ACCESS": str(access),
        "PMESH_GATEWAY_METRICS_PORT": str(free_port()),
        "PMESH_FEATURES_SPOOL": str(folder / "spool"),
    }
    with (
        running(database, str(folder / "other-spool")),  # which registers the models
        GatewayProcess(log=folder / "log", settings=settings, environment=variables) as process,
    ):
        asking = Asking(process.port, issuer)
        wait_until(lambda: asking.client.get("/readyz").status_code == httpx.codes.OK)
        yield asking
        asking.client.close()
    assert "eyJ" not in process.log  # as each token begins
    postgres.drop_database(database)


def _write_policy(folder: Path, issuer: Issuer) -> Path:
    (folder / "jwks.json").write_bytes(issuer.jwks())
    tokens = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": str(folder / "jwks.json")}
    (folder / "access.json").write_text(json.dumps({"tokens": tokens, "roles": ROLES}))
    return folder / "access.json"


def test_a_prediction_is_its_caller_s(asking: Asking) -> None:
    made = asking.call("POST", PREDICT, "ann", "app")
    assert made.status_code == httpx.codes.OK, made.text
    path = f"/v1/predictions/{made.json()['id']}"
    assert asking.call("GET", path, "ann", "app").json() == made.json()
    assert asking.call("GET", path, "zoe", "analyst").json() == made.json()
    assert reason(asking.call("GET", path, "bob", "app")) == "PREDICTION_NOT_FOUND"
    assert reason(asking.call("GET", path, "ann", "annotator")) == "PERMISSION_DENIED"


def test_a_role_is_for_its_models(asking: Asking) -> None:
    refused = asking.call("POST", PREDICT, "ann", "other-app")
    assert refused.status_code == httpx.codes.FORBIDDEN
    assert reason(refused) == "PERMISSION_DENIED"


def test_claims_that_a_client_sends_are_nobody_s(asking: Asking) -> None:
    forged = {"x-pmesh-claims": "eyJzdWIiOiJhbm4iLCJyb2xlcyI6WyJhcHAiXX0"}
    refused = asking.client.post(PREDICT, json={"text": "a text"}, headers=forged)
    assert refused.status_code == httpx.codes.UNAUTHORIZED
    assert reason(refused) == "UNAUTHENTICATED"


def reason(response: httpx.Response) -> str:
    return str(response.json()["details"][0]["reason"])
