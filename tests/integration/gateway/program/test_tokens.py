"""Envoy and the application together, where callers need tokens: what the one verifies, the other
goes by.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from predict.v1 import prediction_service_pb2 as pb
from predict.v1 import prediction_service_pb2_grpc

from database.logins import GATEWAY
from gateway.envoy.front import Front
from gateway.verified_token import CLOCK_SKEW_S
from tests.integration.gateway.envoy.access.guarded import (
    PROTOCOLS,
    Reply,
    bearer,
    decision,
    predict,
)
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.integration.gateway.program.running import running
from tests.parts.catalog import environment
from tests.parts.issuer import AUDIENCE, ISSUER, Issuer
from tests.parts.polling import PATIENCE_S, wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import Postgres

SERVING = HealthCheckResponse.SERVING
PREDICT = "/v1/models/sentiment:predict"
ROLES = {
    "app": {"predict": ["sentiment"]},
    "other-app": {"predict": ["silent"]},
    "analyst": {"read": ["*"]},
    "annotator": {"label": ["*"]},
}


class Asking:
    """A gateway that asks for tokens, and who makes them."""

    def __init__(self, port: int, issuer: Issuer, *, without: str) -> None:
        """without: the address of a gateway that asks for none."""
        self.port = port
        self.without = int(without.rpartition(":")[2])
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
        self.target = f"127.0.0.1:{port}"
        self.issuer = issuer

    def metadata(self, role: str) -> tuple[tuple[str, str], ...]:
        """Of a call by gRPC."""
        return (("authorization", f"Bearer {self.issuer.token(roles=[role])}"),)

    @contextmanager
    def health(self) -> Iterator[HealthStub]:
        with grpc.insecure_channel(self.target) as channel:
            yield HealthStub(channel)

    def call(self, method: str, path: str, subject: str, role: str) -> httpx.Response:
        token = self.issuer.token(sub=subject, roles=[role])
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
        running(database, str(folder / "other-spool")) as without,  # which registers the models
        GatewayProcess(log=folder / "log", settings=settings, environment=variables) as process,
    ):
        asking = Asking(process.port, issuer, without=without.address)
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


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("subject", [None, "", " ann", "x" * 257])
def test_a_token_for_nobody_is_refused(asking: Asking, subject: str | None, protocol: str) -> None:
    token = bearer(asking.issuer.token(roles=["app"], sub=subject))
    assert decision(predict(asking.port, protocol, token)) == "UNAUTHENTICATED"


UNKNOWN = ["/predict.v1.PredictionService/Forget", "/predict.v1.Nothing/Predict", "/a.B/C", "/a"]


@pytest.mark.parametrize("role", ["app", "annotator", "no-such-role"])
@pytest.mark.parametrize("path", [*UNKNOWN, "/v1/nothing", "/v1/predictions/a/b"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_not_there_is_told_as_without_tokens(
    asking: Asking, protocol: str, path: str, role: str
) -> None:
    token = bearer(asking.issuer.token(roles=[role]))
    with_one = predict(asking.port, protocol, token, path=path)
    assert decision(with_one) == "PATH_NOT_FOUND"
    assert as_told(with_one) == as_told(predict(asking.without, protocol, path=path))
    assert decision(predict(asking.port, protocol, path=path)) == "UNAUTHENTICATED"


def as_told(reply: Reply) -> tuple[int, dict[str, str], bytes]:
    """All but what no two calls have in common."""
    own = {"x-request-id", "date"}
    headers = {name: value for name, value in reply.headers.items() if name not in own}
    return reply.status, headers, reply.body


def test_a_role_is_for_its_models(asking: Asking) -> None:
    refused = asking.call("POST", PREDICT, "ann", "other-app")
    assert refused.status_code == httpx.codes.FORBIDDEN
    assert reason(refused) == "PERMISSION_DENIED"


def test_of_a_model_is_told_to_whom_a_token_allows_it(asking: Asking) -> None:
    assert asking.client.get("/readyz").json() == {"ready": True, "notReady": []}
    with asking.health() as health:
        assert health.Check(HealthCheckRequest()).status == SERVING
        asked = HealthCheckRequest(service="models/sentiment")
        assert health.Check(asked, metadata=asking.metadata("app")).status == SERVING
        silent = HealthCheckRequest(service="models/silent")
        known = health.Check(silent, metadata=asking.metadata("other-app"))
        assert known.status == HealthCheckResponse.NOT_SERVING
        nothing = HealthCheckRequest(service="models/nothing")
        unknown = refused(lambda: health.Check(nothing, metadata=asking.metadata("app")))
        assert unknown[0] is grpc.StatusCode.NOT_FOUND
        assert refused(lambda: health.Check(asked)) == unknown
        bad = (("authorization", "Bearer a.b.c"),)
        assert refused(lambda: health.Check(asked, metadata=bad)) == unknown
        of_another = asking.metadata("other-app")
        assert refused(lambda: health.Check(asked, metadata=of_another)) == unknown


def test_health_is_watched_with_a_token(asking: Asking) -> None:
    asked = HealthCheckRequest(service="models/sentiment")
    with asking.health() as health:
        code, _ = refused(lambda: next(health.Watch(asked, timeout=PATIENCE_S)))
        assert code is grpc.StatusCode.UNAUTHENTICATED
        for role, status in (("app", SERVING), ("other-app", HealthCheckResponse.SERVICE_UNKNOWN)):
            watch = health.Watch(asked, metadata=asking.metadata(role))
            assert next(watch).status == status
            watch.cancel()


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    error: Any = raised.value
    return error.code(), error.details()


def test_a_client_cannot_say_that_its_token_is_verified(asking: Asking) -> None:
    signed = asking.issuer.token(sub="ann", roles=["app"])
    unsigned = f"{signed.rpartition('.')[0]}.c2lnbmVk"
    forged = {"authorization": f"Bearer {unsigned}", "x-pmesh-issuer": ISSUER}
    refused = asking.client.post(PREDICT, json={"text": "a text"}, headers=forged)
    assert refused.status_code == httpx.codes.UNAUTHORIZED
    assert reason(refused) == "UNAUTHENTICATED"


def test_health_says_more_to_whose_token_is_good(asking: Asking) -> None:
    good = asking.issuer.token(sub="ann", roles=["app"])
    unsigned = f"{good.rpartition('.')[0]}.c2lnbmVk"
    nobodys = asking.issuer.token(sub=None, roles=["app"])
    request = HealthCheckRequest(service="models/sentiment")
    with grpc.insecure_channel(asking.target) as channel:
        check = HealthStub(channel).Check

        def ask(token: str) -> Any:
            told = (("authorization", f"Bearer {token}"), ("x-pmesh-issuer", ISSUER))
            return check(request, metadata=told)

        assert ask(good).status == SERVING
        for token in (unsigned, nobodys):
            assert refused(partial(ask, token))[0] is grpc.StatusCode.NOT_FOUND
            assert check(HealthCheckRequest(), metadata=()).status == SERVING


def reason(response: httpx.Response) -> str:
    return str(response.json()["details"][0]["reason"])


def test_a_stream_ends_with_its_token(asking: Asking) -> None:
    """Whatever the client does; which here is nothing."""
    token = asking.issuer.token(sub="ann", roles=["app"], exp=int(time.time()) - CLOCK_SKEW_S + 5)
    left = threading.Event()

    def requests() -> Iterator[pb.StreamPredictRequest]:
        yield pb.StreamPredictRequest(request={"model": "sentiment", "text": "a text"})
        left.wait(PATIENCE_S)

    with grpc.insecure_channel(asking.target) as channel:
        call = prediction_service_pb2_grpc.PredictionServiceStub(channel).StreamPredict(
            requests(), metadata=(("authorization", f"Bearer {token}"),), timeout=PATIENCE_S
        )
        assert next(call).prediction.id
        with pytest.raises(grpc.RpcError):
            next(call)
        left.set()
        assert call.code() is grpc.StatusCode.UNAUTHENTICATED
