"""The tokens of a local stack, at a gateway that asks for them."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from predict.v1.model_service_pb2 import ListModelsRequest
from predict.v1.model_service_pb2_grpc import ModelServiceStub
from predict.v1.prediction_service_pb2 import WatchPredictionRequest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub
from typer.testing import CliRunner, Result

from pmesh.calls import CallFailedError
from pmesh.channel import open_channel
from pmesh.cli import command_line
from pmesh.cli.client import GatewayClient
from pmesh.stack.home import Home
from pmesh.stack.issuer import Issuer
from tests.integration.gateway.envoy.gateway_process import GatewayProcess, echo_settings


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("stack") / "home")
    home.create()
    Issuer(home).write_policy([])
    return home


@pytest.fixture(scope="module")
def gateway(home: Home) -> Iterator[GatewayProcess]:
    settings = echo_settings(access=home.access)
    with GatewayProcess(log=home.log("gateway"), settings=settings) as process:
        yield process


def pmesh_token(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command_line(), ["token", "--home", str(home), *arguments])


def why(client: GatewayClient) -> str:
    with client, pytest.raises(CallFailedError) as refused:
        client.predict("sentiment", "a text")
    return str(refused.value)


def test_a_printed_token_is_good_for_its_role(home: Home, gateway: GatewayProcess) -> None:
    app = pmesh_token(home.path).stdout.strip()
    with GatewayClient(gateway.port, app) as client:
        assert client.predict("sentiment", "a text").text == "a text"
    annotator = pmesh_token(home.path, "--role", "annotator", "--subject", "anna").stdout.strip()
    assert "(PERMISSION_DENIED)" in why(GatewayClient(gateway.port, annotator))
    assert "(UNAUTHENTICATED)" in why(GatewayClient(gateway.port))


def test_the_stack_s_own_token_opens_each_kind_of_call(home: Home, gateway: GatewayProcess) -> None:
    token = Issuer(home).token(ttl_s=60)
    with open_channel(f"127.0.0.1:{gateway.port}", token) as channel:
        predictions = PredictionServiceStub(channel)
        states = [
            answer.prediction.state
            for answer in predictions.WatchPrediction(WatchPredictionRequest(id="7"))
        ]
        assert len(states) == 2
        assert ModelServiceStub(channel).ListModels.future(ListModelsRequest()).result()
    with GatewayClient(gateway.port, token) as client, pytest.raises(CallFailedError) as error:
        list(client.predict_each("sentiment", ["a text"]))
    assert "not implemented" in str(error.value)  # by the application of this test


def test_the_key_stays_and_is_the_owner_s(home: Home, gateway: GatewayProcess) -> None:
    before = Issuer(home).token(ttl_s=60)
    assert stat.S_IMODE((home.path / "token-key.json").stat().st_mode) == 0o600
    assert '"d"' not in (home.path / "jwks.json").read_text()
    again = Home(home.path)
    Issuer(again).write_policy([])
    for token in (before, Issuer(again).token(ttl_s=60)):
        with GatewayClient(gateway.port, token) as client:
            assert client.predict("sentiment", "a text").text == "a text"


def test_no_token_is_printed_for_a_role_that_is_not(home: Home) -> None:
    refused = pmesh_token(home.path, "--role", "king")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "there is no role king" in refused.stderr
    assert "one of app, annotator, analyst, operator" in refused.stderr


@pytest.mark.parametrize("subject", ["\u00e4", "a" * 257, " a", "a\n"])
def test_no_token_is_printed_for_whom_no_gateway_takes_for_a_caller(
    home: Home, subject: str
) -> None:
    refused = pmesh_token(home.path, "--subject", subject)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "1 to 256 printable ASCII characters" in " ".join(refused.stderr.split())


@pytest.mark.parametrize("ttl", ["0", "31622401", "99999999999999999999"])
def test_no_token_is_printed_for_no_time_or_for_more_than_a_year(home: Home, ttl: str) -> None:
    refused = pmesh_token(home.path, "--ttl", ttl)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--ttl" in refused.stderr


def test_a_token_may_be_good_for_a_year(home: Home, gateway: GatewayProcess) -> None:
    token = pmesh_token(home.path, "--ttl", "31622400").stdout.strip()
    with GatewayClient(gateway.port, token) as client:
        assert client.predict("sentiment", "a text").text == "a text"


def test_no_token_is_printed_after_a_start_without(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    Issuer(home).write_policy([])
    Issuer(home).leave()
    assert pmesh_token(home.path).exit_code == 1
    Issuer(home).write_policy([])
    assert pmesh_token(home.path).exit_code == 0


def test_no_token_is_printed_where_none_is_asked_for(tmp_path: Path) -> None:
    refused = pmesh_token(tmp_path)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"pmesh up --home {tmp_path} --auth" in refused.stderr
