"""Which roles may call which rpcs at the gateway's proxy, by each protocol."""

from collections.abc import Iterator
from functools import cache
from http.client import HTTPConnection

import grpc
import pytest
from predict.v1.model_service_pb2 import ListModelsRequest
from predict.v1.model_service_pb2_grpc import ModelServiceStub

from pmesh.calls import CallFailedError, failures
from tests.mesh.api_server import ApiServer
from tests.mesh.istiod import Istiod
from tests.mesh.programs import Pages
from tests.mesh.proxy import Proxy
from tests.mesh.rig import Rig, service
from tests.mesh.tokens import token
from tests.parts.access_cells import NO_ROLE, NO_TOKEN, Cell, disagreements
from tests.parts.mesh_list import ACCESS
from tests.parts.polling import PATIENCE_S

HOST, PORT = "gateway.predict-mesh.svc.cluster.local", 8080
RPC = {"gRPC": "application/grpc", "gRPC-Web": "application/grpc-web+proto"}


@pytest.fixture(scope="module")
def ingress(
    api: ApiServer, mesh: Istiod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    with Rig(api, mesh, tmp_path_factory.mktemp("roles")) as rig, Pages() as program:
        rig.apply([service("predict-mesh", "gateway", [PORT])])
        caller = rig.workload("istio-ingress", "ingress")
        called = rig.workload("predict-mesh", "gateway", {PORT: ("HTTP", program.port)})
        proxy, _ = rig.start([caller, called])
        yield proxy


def test_each_role_may_what_the_contract_says_by_each_protocol(ingress: Proxy) -> None:
    assert disagreements(ACCESS, lambda cell: _is_let_through(ingress, cell)) == []


def test_a_token_that_is_not_right_is_refused_where_none_is_asked_for(ingress: Proxy) -> None:
    right = _authorization("app")["Authorization"]
    path = "/grpc.health.v1.Health/Check"
    assert _ask(ingress, "POST", path, Authorization=right) == 200
    assert _ask(ingress, "POST", path, Authorization=right[:-8] + "AAAAAAAA") == 401
    expired = f"Bearer {token(iss=ACCESS.tokens.issuer, aud=ACCESS.tokens.audience, exp=1)}"
    assert _ask(ingress, "POST", path, Authorization=expired) == 401


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [((), "PERMISSION_DENIED"), ((("authorization", "Bearer no.ne.is"),), "UNAUTHENTICATED")],
)
def test_a_command_knows_a_refusal_from_a_gateway_that_is_away(
    ingress: Proxy, metadata: tuple[tuple[str, str], ...], reason: str
) -> None:
    options = [("grpc.default_authority", HOST)]
    with grpc.insecure_channel(f"{ingress.workload.outbound}:{PORT}", options=options) as channel:
        models = ModelServiceStub(channel)
        with pytest.raises(CallFailedError) as refused, failures(HOST):
            models.ListModels(ListModelsRequest(), timeout=PATIENCE_S, metadata=metadata)
    assert str(refused.value).endswith(f"({reason})")
    assert "token" in refused.value.remedy
    assert not refused.value.is_passing


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../predict.v1.ModelService/SetTraffic",
        "//predict.v1.ModelService//SetTraffic",
        "/predict.v1.ModelService%2FSetTraffic",
        "/%70redict.v1.ModelService/SetTraffic",
        "/predict.v1.ModelService/./SetTraffic",
        "/predict.v1.ModelService/SetTraffic?x=/healthz",
        "/healthz/../predict.v1.ModelService/SetTraffic",
        "/healthz;/../predict.v1.ModelService/SetTraffic",
        "/healthz%2f..%2fpredict.v1.ModelService/SetTraffic",
        "/PREDICT.V1.MODELSERVICE/SETTRAFFIC",
    ],
)
def test_a_path_that_is_written_otherwise_needs_the_same_role(ingress: Proxy, path: str) -> None:
    assert _ask(ingress, "POST", path) in (400, 403)
    assert _ask(ingress, "POST", path, **_authorization("app")) in (400, 403)


def _is_let_through(ingress: Proxy, cell: Cell) -> bool:
    content = RPC.get(cell.protocol, "application/json")
    headers = {**_authorization(cell.role), "Content-Type": content}
    status = _ask(ingress, cell.method, cell.path, **headers)
    assert status in (200, 403), cell
    return status == 200


def _ask(ingress: Proxy, method: str, path: str, **headers: str) -> int:
    """The status, and of an rpc that is refused the one that stands for it."""
    connection = HTTPConnection(ingress.workload.outbound, PORT, timeout=PATIENCE_S)
    connection.request(method, path, b"", {"Host": HOST, **headers})
    response = connection.getresponse()
    response.read()
    connection.close()
    refused = {"7": 403, "16": 401}
    return refused.get(response.headers.get("grpc-status", ""), response.status)


@cache
def _authorization(role: str) -> dict[str, str]:
    if role == NO_TOKEN:
        return {}
    claims = {"iss": ACCESS.tokens.issuer, "aud": ACCESS.tokens.audience, "sub": "anna"}
    if role != NO_ROLE:
        claims[ACCESS.tokens.roles_claim] = [role]
    return {"Authorization": f"Bearer {token(**claims)}"}
