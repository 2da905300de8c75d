"""A gateway behind an ingress, as commands reach it: by TLS, with a token."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from predict.v1.prediction_service_pb2 import WatchPredictionRequest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub
from typer.testing import CliRunner, Result

from pmesh.channel import open_channel
from pmesh.cli import command_line
from pmesh.stack.home import Home
from pmesh.stack.issuer import Issuer
from tests.integration.gateway.envoy.gateway_process import GatewayProcess, echo_settings
from tests.parts.certificate import make_certificate
from tests.parts.ingress import ingress


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("tls") / "home")
    home.create()
    Issuer(home).write_policy([])
    return home


@pytest.fixture(scope="module")
def port(home: Home) -> Iterator[int]:
    settings = echo_settings(access=home.access)
    with (
        GatewayProcess(log=home.log("gateway"), settings=settings) as gateway,
        ingress(home.path, gateway=gateway.port, certificate=make_certificate(home.path)) as port,
    ):
        yield port


@pytest.fixture
def trusted(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(home.path / "localhost.pem"))


def pmesh(address: str, token: str, *arguments: str) -> Result:
    environment = {"PMESH_GATEWAY": address, "PMESH_TOKEN": token}
    return CliRunner().invoke(command_line(), arguments, env=environment)


def history(address: str, token: str = "") -> Result:
    return pmesh(address, token, "history", "sentiment")


@pytest.mark.usefixtures("trusted")
def test_each_kind_of_call_gets_through(home: Home, port: int) -> None:
    token = Issuer(home).token(ttl_s=60)
    with open_channel(f"https://localhost:{port}", token) as channel:
        watch = PredictionServiceStub(channel).WatchPrediction(WatchPredictionRequest(id="7"))
        assert len(list(watch)) == 2
    asked = history(f"https://localhost:{port}/", token)
    assert "not implemented" in asked.stderr  # by the application of this test


@pytest.mark.usefixtures("trusted")
def test_a_call_needs_its_token(port: int) -> None:
    refused = history(f"https://localhost:{port}")
    assert refused.exit_code == 1
    assert "(UNAUTHENTICATED)" in refused.stderr
    assert "PMESH_TOKEN" in refused.stderr


def test_nothing_is_sent_to_whom_nobody_trusts(home: Home, port: int) -> None:
    refused = history(f"https://localhost:{port}", Issuer(home).token(ttl_s=60))
    assert refused.exit_code == 1
    assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr


@pytest.mark.usefixtures("trusted")
def test_a_certificate_must_be_of_the_host(home: Home, port: int) -> None:
    refused = history(f"https://127.0.0.1:{port}", Issuer(home).token(ttl_s=60))
    assert refused.exit_code == 1
    assert "nothing answers at https://127.0.0.1" in refused.stderr
    assert "certificate" in refused.stderr.lower() or "Hostname" in refused.stderr


@pytest.mark.parametrize(
    "address", ["http://localhost:1", "https://", "https://a/b", "https://eve@a", "https://a:0"]
)
def test_another_form_of_address_is_refused(address: str) -> None:
    for command in (["history", "sentiment"], ["pause", "sentiment"], ["erase", "-"]):
        refused = pmesh(address, "", *command)
        assert refused.exit_code == 1
        assert "https://HOST[:PORT]" in refused.stderr


def test_an_authority_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    refused = history("https://localhost:1")
    assert refused.exit_code == 1
    assert "SSL_CERT_FILE" in refused.stderr
