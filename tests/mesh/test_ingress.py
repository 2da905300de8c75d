"""The door of the mesh: TLS at its hosts, plain HTTP, the ways from there, and what no client may
say. Behind it is the gateway's own Envoy, whose application tells what reaches it.
"""

import base64
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import pytest
from predict.v1.prediction_service_pb2 import PredictRequest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from tests.integration.gateway.envoy.access.guarded import guarded
from tests.mesh.api_server import ApiServer
from tests.mesh.ingress import HOSTS, Answer, Ingress, start_ingress
from tests.mesh.istiod import Istiod
from tests.mesh.programs import Pages
from tests.mesh.rig import Rig, service
from tests.mesh.tokens import JWKS, token
from tests.parts.access_cells import Cell, cells
from tests.parts.mesh_list import ACCESS
from tests.parts.polling import PATIENCE_S, wait_until

HOST, LABEL_HOST = HOSTS
UNKNOWN = "unknown.example.com"
PORT = 8080
REST = "/v1/models/sentiment:predict"
IDENTITY = "URI=spiffe://cluster.local/ns/istio-ingress/sa/ingress"
FORGED = {
    "x-pmesh-issuer": "https://eve.example/",
    "x-pmesh-caller": "eve",
    "x-forwarded-client-cert": "By=eve;URI=spiffe://cluster.local/ns/eve/sa/eve",
    "x-forwarded-user": "eve",
    "x-auth-request-user": "eve",
    "x-remote-user": "eve",
    "x-envoy-original-path": "/eve",
    "x-envoy-internal": "eve",
    "x-envoy-external-address": "eve",
    "x-envoy-decorator-operation": "eve",
}
"""Headers by which somebody could be taken for another one."""


@dataclass(frozen=True)
class Door:
    """The ingress, and what is behind it."""

    rig: Rig
    ingress: Ingress
    label_studio: Pages

    def predict(self, headers: dict[str, str]) -> Answer:
        """By REST."""
        headers = {"content-type": "application/json", **headers}
        return self.ingress.ask("POST", REST, headers, b'{"text": "a"}', host=HOST)

    def label(self, headers: dict[str, str] | None = None) -> Answer:
        """A page of Label Studio."""
        return self.ingress.ask("GET", "/projects", headers, host=LABEL_HOST)


@pytest.fixture(scope="module")
def door(api: ApiServer, mesh: Istiod, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("ingress")
    (folder / "jwks.json").write_text(json.dumps(JWKS))
    with (
        Rig(api, mesh, folder / "mesh") as rig,
        guarded(folder, jwks=str(folder / "jwks.json")) as gateway,
        Pages() as label_studio,
    ):
        rig.apply(
            [
                service("predict-mesh", "gateway", [PORT]),
                service("predict-mesh", "gateway-releases", [PORT], app="gateway"),
                service("annotation", "label-studio", [PORT]),
            ]
        )
        others = [
            rig.workload("predict-mesh", "gateway", {PORT: ("GRPC", gateway.port)}),
            rig.workload("annotation", "label-studio", {PORT: ("HTTP", label_studio.port)}),
        ]
        door = Door(rig, start_ingress(rig, folder, others), label_studio)
        wait_until(lambda: door.predict(_bearer("app")).status == 200)
        wait_until(lambda: door.label().status == 200)
        yield door


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("host", HOSTS)
def test_each_host_shows_the_certificate_of_the_secret(
    door: Door, host: str, version: ssl.TLSVersion
) -> None:
    context = door.ingress.context()
    context.minimum_version = context.maximum_version = version
    with door.ingress.secured(host, context) as secured:  # which has looked at the name
        shown = secured.getpeercert(binary_form=True)
    assert shown == ssl.PEM_cert_to_DER_cert(door.ingress.certificate.read_text())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_tls_is_refused(door: Door, version: ssl.TLSVersion) -> None:
    context = door.ingress.context()
    context.set_ciphers("ALL:@SECLEVEL=0")  # else it is the client that refuses
    with pytest.warns(DeprecationWarning, match="TLSVersion"):
        context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError) as refused:
        door.ingress.secured(HOST, context)
    assert refused.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


@pytest.mark.parametrize("host", [UNKNOWN, f"x.{HOST}", None])
def test_who_looks_for_another_host_is_shown_no_certificate(door: Door, host: str | None) -> None:
    context = door.ingress.context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
        door.ingress.secured(host, context)


def test_another_host_than_that_of_the_certificate_is_not_found(door: Door) -> None:
    assert door.ingress.ask("GET", "/healthz", host=HOST).status == 200
    assert door.ingress.ask("GET", "/healthz", host=UNKNOWN, sni=HOST).status == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("host", HOSTS)
def test_plain_http_is_told_of_https_and_goes_nowhere(door: Door, host: str, method: str) -> None:
    before = len(door.label_studio.requests)
    answer = door.ingress.ask_plainly(method, "/any?x=1", host=host)
    assert (answer.status, answer.headers["location"]) == (301, f"https://{host}/any?x=1")
    assert len(door.label_studio.requests) == before


def test_plain_http_of_another_host_is_not_found(door: Door) -> None:
    assert door.ingress.ask_plainly("GET", "/", host=UNKNOWN).status == 404


def test_grpc_reaches_the_gateway(door: Door) -> None:
    with door.ingress.channel(HOST) as channel:
        assert _subjects(_application_sees(channel, "app")) == ["ann"]
        with pytest.raises(grpc.RpcError) as refused:
            _application_sees(channel, "annotator")
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_rest_reaches_the_gateway(door: Door) -> None:
    assert door.predict(_bearer("app")).status == 200
    assert door.predict(_bearer("annotator")).status == 403
    assert door.predict({}).status == 403


def test_label_studio_is_reached_as_the_ingress(door: Door) -> None:
    assert door.label().status == 200
    (caller,) = door.label_studio.requests[-1].get_all("x-forwarded-client-cert", [])
    assert caller.endswith(f";{IDENTITY}")
    assert caller.count("URI=") == 1


@pytest.mark.parametrize("name", FORGED)
def test_who_calls_is_not_for_the_client_to_say(door: Door, name: str) -> None:
    forged = {name: FORGED[name]}
    by_rest = json.loads(door.predict({**forged, **_bearer("app")}).body)
    with door.ingress.channel(HOST) as channel:
        by_grpc = _application_sees(channel, "app", *forged.items())
    for seen in (by_rest["output"]["label"], by_grpc):
        assert FORGED[name] not in seen
        assert _subjects(seen) == ["ann"]
    assert door.predict(forged).status == 403


@pytest.mark.parametrize("name", [name for name in FORGED if name.startswith("x-forwarded-client")])
def test_label_studio_is_not_told_by_the_client_either(door: Door, name: str) -> None:
    assert door.label({name: FORGED[name]}).status == 200
    assert "eve" not in str(door.label_studio.requests[-1])


def test_a_client_does_not_say_how_often_the_mesh_tries(door: Door) -> None:
    before = len(door.label_studio.requests)
    door.label_studio.status = 503
    try:
        answer = door.label({"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "3"})
    finally:
        door.label_studio.status = 200
    assert answer.status == 503
    assert len(door.label_studio.requests) - before == 1


def test_what_is_of_models_is_asked_before_a_gateway_is_ready_and_nothing_else(door: Door) -> None:
    """The contract's rpcs by all protocols, while no gateway is ready."""
    door.rig.apply([service("predict-mesh", "gateway", [PORT], app="nobody")])
    wait_until(lambda: door.predict(_bearer("app")).status == 503)
    try:
        reached = {cell: _reaches(door, cell) for cell in cells(ACCESS) if cell.role == "operator"}
    finally:
        door.rig.apply([service("predict-mesh", "gateway", [PORT])])
        wait_until(lambda: door.predict(_bearer("app")).status == 200)
    expected = {cell: cell.rpc.startswith("/predict.v1.ModelService/") for cell in reached}
    assert reached == expected
    assert {cell.protocol for cell in reached if reached[cell]} == {"gRPC", "gRPC-Web", "REST"}


def _reaches(door: Door, cell: Cell) -> bool:
    """Whether it gets to a gateway, whatever that answers."""
    content = {"gRPC": "application/grpc", "gRPC-Web": "application/grpc-web+proto"}
    headers = {
        "content-type": content.get(cell.protocol, "application/json"),
        **_bearer(*ACCESS.roles),
    }
    answer = door.ingress.ask(cell.method, cell.path, headers, host=HOST)
    assert answer.status != 404, cell
    return answer.status != 503 and answer.headers.get("grpc-status") != "14"


def _application_sees(channel: grpc.Channel, role: str, *metadata: tuple[str, str]) -> str:
    """Of a prediction by gRPC."""
    request = PredictRequest(model="sentiment", text="a")
    sent = [*metadata, *_bearer(role).items()]
    predict = PredictionServiceStub(channel).Predict
    seen: str = predict(request, metadata=sent, timeout=PATIENCE_S).prediction.output.label
    return seen


def _subjects(seen: str) -> list[str]:
    """Whom each token names, of which there are as many as ours say that are verified."""
    assert re.findall(r"'x-pmesh-issuer', '([^']*)'", seen) == [ACCESS.tokens.issuer]
    tokens = re.findall(r"'authorization', 'Bearer [^.]*\.([^.]*)\.", seen)
    return [json.loads(base64.urlsafe_b64decode(one + "==="))["sub"] for one in tokens]


def _bearer(*roles: str) -> dict[str, str]:
    claims = {"iss": ACCESS.tokens.issuer, "aud": ACCESS.tokens.audience, "sub": "ann"}
    return {"authorization": f"Bearer {token(**claims, roles=list(roles))}"}
