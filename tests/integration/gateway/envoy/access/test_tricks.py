"""Paths and headers that say one thing to who decides and another to who answers."""

import base64
import json
import re

import pytest

from tests.integration.gateway.envoy.access.guarded import (
    PASSED,
    PREDICT,
    Headers,
    bearer,
    decision,
    predict,
    send,
)
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.parts.issuer import Issuer

# May be read by a caller who makes predictions, and not by one who labels, who may read models.
LIST, ONE = "/v1/predictions", "/v1/predictions/7"
PATHS = [
    LIST,
    "//v1/predictions",
    "/v1//predictions",
    "/v1/predictions/",
    "/v1/./predictions",
    "/v1/models/../predictions",
    "/v1/models/%2e%2e/predictions",
    "/v1/models/.%2E/predictions",
    "/v1/models/..%2fpredictions",
    "/v1/models/..%5cpredictions",
    "/v1/models\\..\\predictions",
    "/v1/models/..;/predictions",
    "/v1/models;/../predictions",
    "/v1/models/x/../../predictions",
    "/v1%2fpredictions",
    "/v1/%70redictions",
    "/v1/predictions%00",
    "/v1/predictions%20",
    "/v1/predictions;a=/v1/models",
    "/v1/predictions?/v1/models",
    "/v1/predictions?x=/v1/models/y",
    "/v1/predictions#/v1/models",
    "/v1/models#/../predictions",
    "/V1/Predictions",
    "v1/predictions",
    "http://gateway/v1/predictions",
    "http://v1/models/../predictions",
    "/healthz/../v1/predictions",
    "/readyz/../v1/predictions",
    "/readyz/%2e%2e/v1/predictions",
    "/readyz/..%2fv1/predictions",
    "/readyz;/v1/predictions",
    "/readyz/v1/predictions",
    "/grpc.health.v1.Health/Check/../../v1/predictions",
    ONE,
    "/v1/predictions/7:wait",
    "/v1/predictions/7%3Await",
    "/v1/predictions/7:%77ait",
    "/v1/predictions/7:watch",
    "/v1/predictions/7:listUnlabeled",
    "/v1/predictions/7/wait",
    "/v1/predictions/7:wait/",
    "/v1/models/..%2f..%2fpredictions/7",
    "/v1/models/x:listUnlabeled/../../predictions",
]
CLAIMS = base64.urlsafe_b64encode(b'{"sub":"eve","roles":["app"]}').decode()
FORGED: dict[str, Headers] = {
    "claims": [("x-pmesh-claims", CLAIMS)],
    "claims in other letters": [("X-PMesh-Claims", CLAIMS)],
    "claims twice": [("x-pmesh-claims", CLAIMS), ("x-pmesh-claims", CLAIMS)],
    "claims with a comma": [("x-pmesh-claims", f"{CLAIMS},{CLAIMS}")],
    "claims that are no text": [("x-pmesh-claims", b"\xff\xfe")],
    "claims with an underscore": [("x_pmesh_claims", CLAIMS)],
    "others of ours": [("x-pmesh-caller", "eve"), ("x-pmesh-roles", "app")],
    "a user": [("x-forwarded-user", "eve"), ("x-auth-request-user", "eve"), ("remote-user", "eve")],
    "a certificate": [("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/a/sa/eve")],
    "Envoy's path": [("x-envoy-original-path", "/v1/models")],
    "Envoy's method": [("x-envoy-original-method", "GET")],
    "Envoy's own": [("x-envoy-internal", "true"), ("x-envoy-decorator-operation", "eve")],
    "another path": [("x-original-url", "/v1/models"), ("x-rewrite-url", "/v1/models")],
    "another method": [("x-http-method-override", "GET"), ("x-http-method", "GET")],
    "a hop": [("connection", "x-pmesh-claims")],
    "an address": [("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1")],
}


@pytest.mark.parametrize("path", [LIST, ONE, "/v1/predictions/7:wait"])
def test_who_may_reaches_them(gate: GatewayProcess, issuer: Issuer, path: str) -> None:
    assert send(gate.port, "GET", path, bearer(issuer.token(roles=["app"]))).reached


@pytest.mark.parametrize("path", PATHS)
def test_no_other_path_leads_there(gate: GatewayProcess, issuer: Issuer, path: str) -> None:
    annotator = bearer(issuer.token(roles=["annotator"]))
    for headers in (annotator, []):
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            reply = send(gate.port, method, path, headers)
            assert not reply.reached
            assert reply.status >= 400 or headers


@pytest.mark.parametrize("path", [PREDICT, f"/{PREDICT}", PREDICT.upper(), PREDICT[1:]])
@pytest.mark.parametrize("content_type", ["application/grpc", "application/grpc-web"])
def test_no_other_path_of_an_rpc_does(
    gate: GatewayProcess, issuer: Issuer, path: str, content_type: str
) -> None:
    headers = [*bearer(issuer.token(roles=["annotator"])), ("content-type", content_type)]
    assert not send(gate.port, "POST", path, headers, b"\0\0\0\0\0").reached


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_headers_give_no_right(gate: GatewayProcess, issuer: Issuer, headers: Headers) -> None:
    token = bearer(issuer.token(roles=["annotator"]))
    for protocol in ("rest", "grpc", "grpc-web"):
        assert decision(predict(gate.port, protocol, headers)) == "UNAUTHENTICATED"
        assert decision(predict(gate.port, protocol, [*headers, *token])) == "PERMISSION_DENIED"


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_the_application_sees_the_claims_of_the_token_alone(
    gate: GatewayProcess, issuer: Issuer, headers: Headers
) -> None:
    token = issuer.token(roles=["app"], sub="ann")
    reply = predict(gate.port, "rest", [*headers, *bearer(token), *headers])
    assert decision(reply) == PASSED
    seen = json.loads(reply.body)["output"]["label"]
    claims = re.findall(r"'x-pmesh-([^']*)', '([^']*)'", seen)
    assert [name for name, _ in claims] == ["claims"]
    assert json.loads(base64.urlsafe_b64decode(claims[0][1] + "==="))["sub"] == "ann"
    assert token not in seen
    assert not re.search(r"'(x-forwarded-user|x-auth-request-user|remote-user)'", seen)
    assert "spiffe" not in seen


def test_who_looks_whether_it_lives_needs_no_token(gate: GatewayProcess) -> None:
    assert send(gate.port, "GET", "/healthz").status == 200
