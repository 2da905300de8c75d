"""Paths and headers that say one thing to who decides and another to who answers."""

import base64
import json
import re

import pytest

from tests.integration.gateway.envoy.access.guarded import (
    PASSED,
    PREDICT,
    Headers,
    Reply,
    bearer,
    decision,
    predict,
    send,
)
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.parts.issuer import ISSUER, Issuer

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
    "/v1/predictions/7:cancel",
    "/v1/predictions/7:%63ancel",
    "/v1/predictions/7/wait",
    "/v1/predictions/7:wait/",
    "/v1/models/..%2f..%2fpredictions/7",
    "/v1/models/x:listUnlabeled/../../predictions",
    "/v1/predictions.",
    "/v1/predictions/.",
    "/v1/predictions/..",
    "/v1./predictions",
    "/v1/predictions//",
    "/V1/predictions",
    "/v1/PREDICTIONS",
    "/..;/v1/predictions",
    "/v1/models/..;/..;/predictions",
    "/v1/models/..%252fpredictions",
    "/v1/models/%2e%2e%2fpredictions",
    "/v1/models/%5c..%5cpredictions",
    "/v1/models/x%2f..%2f..%2fpredictions",
    "/v1/predictions%09",
    "/v1/predictions%0d%0a",
    "/v1/predictions%3fa=b",
    "/v1/predictions%23a",
    "/%2e/v1/predictions",
    "http://eve@gateway/v1/predictions",
    "//gateway/v1/predictions",
    "?/v1/predictions",
]
OF_A_MODEL = 501
"""Of a model with that name, which is a call that these tests' application does not know."""
SAME_RPC = [f"/{PREDICT}", f"{PREDICT}?x", PREDICT.replace("P", "%50"), f"/a/..{PREDICT}"]
NO_RPC = [PREDICT.upper(), PREDICT[1:], f"{PREDICT}/", f"{PREDICT};", f"{PREDICT}%20"]
UNIMPLEMENTED = "12"
UNSIGNED = base64.urlsafe_b64encode(b'{"sub":"eve","roles":["app"]}').decode()
FORGED: dict[str, Headers] = {
    "an issuer": [("x-pmesh-issuer", ISSUER)],
    "an issuer in other letters": [("X-PMesh-Issuer", ISSUER)],
    "an issuer twice": [("x-pmesh-issuer", ISSUER), ("x-pmesh-issuer", ISSUER)],
    "an issuer with a comma": [("x-pmesh-issuer", f"{ISSUER},{ISSUER}")],
    "an issuer that is no text": [("x-pmesh-issuer", b"\xff\xfe")],
    "an issuer with an underscore": [("x_pmesh_issuer", ISSUER)],
    "others of ours": [("x-pmesh-caller", "eve"), ("x-pmesh-claims", UNSIGNED)],
    "roles": [("x-pmesh-roles", base64.b64encode(b'["app"]').decode())],
    "a user": [("x-forwarded-user", "eve"), ("x-auth-request-user", "eve"), ("remote-user", "eve")],
    "a certificate": [("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/a/sa/eve")],
    "Envoy's path": [("x-envoy-original-path", "/v1/models")],
    "Envoy's method": [("x-envoy-original-method", "GET")],
    "Envoy's own": [("x-envoy-internal", "true"), ("x-envoy-decorator-operation", "eve")],
    "another path": [("x-original-url", "/v1/models"), ("x-rewrite-url", "/v1/models")],
    "another method": [("x-http-method-override", "GET"), ("x-http-method", "GET")],
    "a hop": [("connection", "x-pmesh-issuer")],
    "an address": [("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1")],
}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", LIST),
        ("GET", ONE),
        ("GET", "/v1/predictions/7:wait"),
        ("POST", "/v1/predictions/7:cancel"),
        ("DELETE", ONE),
    ],
)
def test_who_may_reaches_them(gate: GatewayProcess, issuer: Issuer, method: str, path: str) -> None:
    assert send(gate.port, method, path, bearer(issuer.token(roles=["app"]))).reached


@pytest.mark.parametrize("path", PATHS)
def test_no_other_path_leads_there(gate: GatewayProcess, issuer: Issuer, path: str) -> None:
    app, annotator = (bearer(issuer.token(roles=[role])) for role in ("app", "annotator"))
    for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH", "TRACE"):
        may, may_not, nobody = (
            send(gate.port, method, path, headers).status for headers in (app, annotator, [])
        )
        assert may_not in ((403,) if may == 200 else (400, 403, 404, 405, OF_A_MODEL)), method
        assert nobody in (400, 401), method


@pytest.mark.parametrize("path", [PREDICT, *SAME_RPC])
@pytest.mark.parametrize("protocol", ["grpc", "grpc-web"])
def test_another_path_of_an_rpc_gives_no_right(
    gate: GatewayProcess, issuer: Issuer, path: str, protocol: str
) -> None:
    assert decision(ask(gate, issuer, protocol, path, "app")) == PASSED
    assert decision(ask(gate, issuer, protocol, path, "annotator")) == "PERMISSION_DENIED"


@pytest.mark.parametrize("path", NO_RPC)
@pytest.mark.parametrize("protocol", ["grpc", "grpc-web"])
@pytest.mark.parametrize("role", ["app", "annotator"])
def test_a_path_that_is_no_rpc_leads_nowhere(
    gate: GatewayProcess, issuer: Issuer, path: str, protocol: str, role: str
) -> None:
    reply = ask(gate, issuer, protocol, path, role)
    assert reply.headers.get("grpc-status") == UNIMPLEMENTED or reply.status == 400


def ask(gate: GatewayProcess, issuer: Issuer, protocol: str, path: str, role: str) -> Reply:
    return predict(gate.port, protocol, bearer(issuer.token(roles=[role])), path=path)


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_headers_give_no_right(gate: GatewayProcess, issuer: Issuer, headers: Headers) -> None:
    token = bearer(issuer.token(roles=["annotator"]))
    for protocol in ("rest", "grpc", "grpc-web"):
        assert decision(predict(gate.port, protocol, headers)) == "UNAUTHENTICATED"
        assert decision(predict(gate.port, protocol, [*headers, *token])) == "PERMISSION_DENIED"


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_the_application_is_told_of_the_token_alone(
    gate: GatewayProcess, issuer: Issuer, headers: Headers
) -> None:
    token = issuer.token(roles=["app"], sub="ann")
    reply = predict(gate.port, "rest", [*headers, *bearer(token), *headers])
    assert decision(reply) == PASSED
    seen = json.loads(reply.body)["output"]["label"]
    said = re.findall(r"'(x-pmesh-[^']*|authorization)', '([^']*)'", seen)
    assert sorted(said) == [
        ("authorization", f"Bearer {token}"),
        ("x-pmesh-issuer", ISSUER),
        ("x-pmesh-roles", base64.b64encode(b'["app"]').decode()),
    ]
    assert not re.search(r"'(x-forwarded-user|x-auth-request-user|remote-user)'", seen)
    assert "spiffe" not in seen


def test_who_looks_whether_it_lives_needs_no_token(gate: GatewayProcess) -> None:
    assert send(gate.port, "GET", "/healthz").status == 200
