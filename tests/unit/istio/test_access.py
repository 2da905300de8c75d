"""Roles by rpcs by protocols: what istio/ lets through is what contract.access says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from modelkit.values import read_models
from pmesh.mesh_file import read_mesh
from tests.parts.access_cells import (
    NO_ROLE,
    NO_TOKEN,
    Cell,
    Decide,
    cells,
    disagreements,
    may_call,
)
from tests.parts.istio_policies import Call, Workload, is_allowed, read_objects

ROOT = Path(__file__).parents[3]
ACCESS = read_mesh(ROOT / "mesh.yaml").access(read_models())
OBJECTS = read_objects(ROOT / "istio")
GATEWAY = Workload(namespace="predict-mesh", labels={"app": "gateway"})
INGRESS = "istio-ingress/ingress"


def claims(role: str) -> Mapping[str, Any] | None:
    if role == NO_TOKEN:
        return None
    token = {"iss": ACCESS.tokens.issuer, "aud": [ACCESS.tokens.audience], "sub": "anna"}
    return token if role == NO_ROLE else {**token, ACCESS.tokens.roles_claim: [role]}


def by_istio(caller: str = INGRESS) -> Decide:
    def decide(cell: Cell) -> bool:
        call = Call(
            caller=caller,
            port=8080,
            method=cell.method,
            path=cell.path,
            claims=claims(cell.role),
        )
        return is_allowed(OBJECTS, GATEWAY, call)

    return decide


def test_each_role_may_what_the_contract_says_by_each_protocol() -> None:
    decided = {may_call(ACCESS, cell) for cell in cells(ACCESS)}
    assert decided == {True, False}
    assert disagreements(ACCESS, by_istio()) == []


@pytest.mark.parametrize("caller", ["predict-mesh/relay", "model-genre/worker", "other/ingress"])
def test_a_token_alone_lets_nobody_in_but_through_the_ingress(caller: str) -> None:
    assert not any(map(by_istio(caller), cells(ACCESS)))


@pytest.mark.parametrize(
    ("name", "value"),
    [("iss", "https://elsewhere.example/"), ("aud", ["another"]), ("sub", None)],
)
def test_a_token_for_others_lets_nobody_in(name: str, value: object) -> None:
    token = {**(claims("app") or {}), name: value}
    if value is None:
        del token[name]
    path = "/predict.v1.PredictionService/Predict"
    call = Call(caller=INGRESS, port=8080, method="POST", path=path, claims=token)
    assert not is_allowed(OBJECTS, GATEWAY, call)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_token(path: str) -> None:
    call = Call(caller=INGRESS, port=8080, method="GET", path=path)
    assert is_allowed(OBJECTS, GATEWAY, call)


def test_a_browser_may_ask_whether_it_may() -> None:
    asks = {"access-control-request-method": "POST", "origin": "https://app.example"}
    path = "/v1/models/sentiment:predict"
    preflight = Call(caller=INGRESS, port=8080, method="OPTIONS", path=path, headers=asks)
    assert is_allowed(OBJECTS, GATEWAY, preflight)
    assert not is_allowed(
        OBJECTS, GATEWAY, Call(caller=INGRESS, port=8080, method="OPTIONS", path=path)
    )


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/secrets", "/predict.v1.NewService/New"])
def test_what_is_no_rpc_of_ours_is_refused_to_every_role(path: str) -> None:
    for role in ACCESS.roles:
        for method in ("GET", "POST", "DELETE", "PUT"):
            call = Call(caller=INGRESS, port=8080, method=method, path=path, claims=claims(role))
            assert not is_allowed(OBJECTS, GATEWAY, call)
