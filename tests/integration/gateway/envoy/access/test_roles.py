"""Every rpc, by every protocol, for every permission: let in or not, as the table says."""

import re
from pathlib import Path
from typing import Any

import pytest

from contract.access import OPEN, PERMISSIONS, Permission
from gateway.envoy.descriptors import bindings, load_descriptors, method_and_path, rest_methods
from tests.integration.gateway.envoy.access.guarded import (
    PASSED,
    PROTOCOLS,
    Headers,
    Reply,
    bearer,
    decision,
    guarded,
    predict,
    send,
)
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.parts.issuer import Issuer

REST = [
    (f"/{service}/{rpc.name}", *method_and_path(rule))
    for service, rpc, http in rest_methods(load_descriptors())
    for rule in bindings(http)
]
UNAUTHENTICATED, PERMISSION_DENIED = "16", "7"
EMPTY = b"\0\0\0\0\0"


def ask(port: int, rpc: str, protocol: str, headers: Headers) -> list[str]:
    """The codes of refusals, of all that is the rpc by this protocol; "" for none."""
    if protocol != "rest":
        kind = [("content-type", f"application/{protocol}"), ("te", "trailers")]
        reply = send(port, "POST", rpc, [*kind, *headers], EMPTY)
        return [_refusal(reply.headers.get("grpc-status", ""))]
    paths = [(method, re.sub(r"{\w+}", "x", path)) for name, method, path in REST if name == rpc]
    return [_of_http(send(port, method, path, headers)) for method, path in paths]


def _of_http(reply: Reply) -> str:
    return {401: UNAUTHENTICATED, 403: PERMISSION_DENIED}.get(reply.status, "")


def _refusal(code: str) -> str:
    return code if code in (UNAUTHENTICATED, PERMISSION_DENIED) else ""


@pytest.mark.parametrize("protocol", ["grpc", "grpc-web", "rest"])
@pytest.mark.parametrize("rpc", PERMISSIONS)
def test_a_permission_lets_in_as_the_table_says(
    gate: GatewayProcess, issuer: Issuer, rpc: str, protocol: str
) -> None:
    assert set(ask(gate.port, rpc, protocol, [])) <= {UNAUTHENTICATED}
    nothing = bearer(issuer.token(roles=["nothing"]))
    assert set(ask(gate.port, rpc, protocol, nothing)) <= {PERMISSION_DENIED}
    for permission in Permission:
        codes = ask(gate.port, rpc, protocol, bearer(issuer.token(roles=[f"only-{permission}"])))
        expected = "" if permission in PERMISSIONS[rpc] else PERMISSION_DENIED
        assert set(codes) <= {expected}, permission


@pytest.mark.parametrize("protocol", ["grpc", "grpc-web"])
@pytest.mark.parametrize("rpc", sorted(OPEN))
def test_what_is_open_needs_no_token(gate: GatewayProcess, rpc: str, protocol: str) -> None:
    assert ask(gate.port, rpc, protocol, []) == [""]


@pytest.mark.parametrize("rpc", sorted(OPEN))
@pytest.mark.parametrize("odd", [{"header": {"crit": ["exp"]}}, {"sub": None}, {"aud": "other"}])
def test_what_is_open_takes_a_token_that_is_not_good_for_none(
    gate: GatewayProcess, issuer: Issuer, rpc: str, odd: dict[str, Any]
) -> None:
    assert ask(gate.port, rpc, "grpc", bearer(issuer.token(roles=["app"], **odd))) == [""]


@pytest.mark.parametrize("claim", ["groups", "https://example.com/roles", "realm.roles"])
def test_roles_are_in_the_claim_that_the_policy_names(
    issuer: Issuer, tmp_path: Path, claim: str
) -> None:
    (tmp_path / "jwks.json").write_bytes(issuer.jwks())
    with guarded(tmp_path, jwks=str(tmp_path / "jwks.json"), roles_claim=claim) as gateway:
        for protocol in PROTOCOLS:
            for role, expected in (("app", PASSED), ("annotator", "PERMISSION_DENIED")):
                token = bearer(issuer.token(roles=["app"], **{claim: [role]}))
                assert decision(predict(gateway.port, protocol, token)) == expected


def test_every_rest_path_is_asked() -> None:
    assert {rpc for rpc, _, _ in REST} < set(PERMISSIONS)
