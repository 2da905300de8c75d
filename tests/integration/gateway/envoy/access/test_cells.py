"""Roles by rpcs by protocols: a gateway that runs decides as the policies of istio/ do."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from tests.integration.gateway.envoy.access.guarded import Headers, bearer, send
from tests.integration.gateway.envoy.gateway_process import GatewayProcess, echo_settings
from tests.parts.access_cells import NO_TOKEN, Cell, Decide, cells
from tests.parts.issuer import Issuer
from tests.parts.istio_gateway import by_istio, claims
from tests.parts.mesh_list import ACCESS, mesh_objects

REFUSED = (401, 403)
UNAUTHENTICATED, PERMISSION_DENIED = "16", "7"
BODIES = {
    "gRPC": ("application/grpc", bytes(5)),
    "gRPC-Web": ("application/grpc-web", bytes(5)),
    "REST": ("application/json", b"{}"),
}


def by_gateway(port: int, issuer: Issuer) -> Decide:
    @cache
    def token(role: str) -> Headers:
        return bearer(issuer.token(**({"sub": None} | (claims(ACCESS, role) or {}))))

    def decide(cell: Cell) -> bool:
        kind, body = BODIES[cell.protocol]
        headers = [] if cell.role == NO_TOKEN else token(cell.role)
        sent = body if cell.method == "POST" else b""
        reply = send(port, cell.method, cell.path, [("content-type", kind), *headers], sent)
        code = reply.headers.get("grpc-status")
        return reply.status not in REFUSED and code not in (UNAUTHENTICATED, PERMISSION_DENIED)

    return decide


def test_the_gateway_decides_as_the_mesh(issuer: Issuer, tmp_path: Path) -> None:
    keys, access = tmp_path / "jwks.json", tmp_path / "access.json"
    keys.write_bytes(issuer.jwks())
    policy = replace(ACCESS, tokens=replace(ACCESS.tokens, jwks=str(keys)))
    access.write_text(json.dumps(policy.as_json()))
    with GatewayProcess(log=tmp_path / "log", settings=echo_settings(access=access)) as process:
        decide = by_gateway(process.port, issuer)
        decided = {cell: decide(cell) for cell in cells(ACCESS)}
    assert set(decided.values()) == {True, False}
    mesh = by_istio(mesh_objects(), ACCESS)
    assert [cell for cell, let_in in decided.items() if let_in != mesh(cell)] == []
