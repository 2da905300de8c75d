"""Roles by rpcs by protocols: what istio/ lets through is what contract.access says."""

import pytest

from tests.parts.access_cells import cells, disagreements, may_call
from tests.parts.istio_gateway import INGRESS, by_istio, claims, reaches
from tests.parts.istio_policies import Call
from tests.parts.mesh_list import ACCESS, mesh_objects

OBJECTS = mesh_objects()


def test_each_role_may_what_the_contract_says_by_each_protocol() -> None:
    assert {may_call(ACCESS, cell) for cell in cells(ACCESS)} == {True, False}
    assert disagreements(ACCESS, by_istio(OBJECTS, ACCESS)) == []


@pytest.mark.parametrize("caller", ["predict-mesh/relay", "model-genre/worker", "other/ingress"])
def test_a_token_alone_lets_nobody_in_but_through_the_ingress(caller: str) -> None:
    assert not any(map(by_istio(OBJECTS, ACCESS, caller), cells(ACCESS)))


@pytest.mark.parametrize(
    ("name", "value"),
    [("iss", "https://elsewhere.example/"), ("aud", ["another"]), ("sub", None)],
)
def test_a_token_for_others_lets_nobody_in(name: str, value: object) -> None:
    said = {**(claims(ACCESS, "app") or {}), name: value}
    token = {name: value for name, value in said.items() if value is not None}
    path = "/predict.v1.PredictionService/Predict"
    assert not reaches(
        OBJECTS, Call(caller=INGRESS, port=8080, method="POST", path=path, claims=token)
    )


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_token(path: str) -> None:
    assert reaches(OBJECTS, Call(caller=INGRESS, port=8080, method="GET", path=path))


def test_a_browser_may_ask_whether_it_may() -> None:
    asks = {"access-control-request-method": "POST", "origin": "https://app.example"}
    path = "/v1/models/sentiment:predict"
    assert reaches(
        OBJECTS, Call(caller=INGRESS, port=8080, method="OPTIONS", path=path, headers=asks)
    )
    assert not reaches(OBJECTS, Call(caller=INGRESS, port=8080, method="OPTIONS", path=path))


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/secrets", "/predict.v1.NewService/New"])
def test_what_is_no_rpc_of_ours_is_refused_to_every_role(path: str) -> None:
    for role in ACCESS.roles:
        for method in ("GET", "POST", "DELETE", "PUT"):
            token = claims(ACCESS, role)
            call = Call(caller=INGRESS, port=8080, method=method, path=path, claims=token)
            assert not reaches(OBJECTS, call)
