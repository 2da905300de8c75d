"""Beside its refusals an access policy changes no answer: whoever may ask is told what everybody is
told without one.
"""

import pytest

from contract.access import Permission
from gateway.envoy.descriptors import bindings, load_descriptors, method_and_path, rest_methods
from tests.integration.gateway.envoy.access.guarded import Headers, Reply, bearer, send
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.parts.issuer import Issuer

SEGMENTS = [
    *(
        "*",
        "~",
        "@",
        ",",
        ";",
        "=",
        "!",
        "$",
        "'",
        "&",
        "(",
        ")",
        "+",
        "|",
        "^",
        "[x]",
        "{x}",
        "{*}",
    ),
    *(
        "<",
        ">",
        '"',
        "`",
        "a:b",
        "a:",
        ":",
        "::",
        "a:wait",
        "a:%77ait",
        "a%3Await",
        "..",
        ".",
        "a..",
    ),
    *("%", "%2", "%zz", "%00", "%0a", "%20", "%25", "%2e", "%2F", "%2f%2f", "%5c", "%7B", "%C3%A9"),
    *("%FF", "%c0%af", "a%2Fb:wait", "-", "_", "a" * 1000, "a" * 10_000, "*" * 1000, "\xc3\xa9"),
    *("\xff", "a/b", "a/", "", "/", "\\", "a\\b", "a;/b", "..;", "a?b/c", "a#b"),
]
PATHS = [
    ("GET", "/v1/predictions/{}"),
    ("GET", "/v1/predictions/{}:wait"),
    ("DELETE", "/v1/predictions/{}"),
    ("POST", "/v1/models/{}:predict"),
    ("POST", "/v1/models/{}/predictions"),
    ("GET", "/v1/models/x/versions/{}/reference"),
    ("GET", "/{}"),
    ("GET", "/v1/{}"),
]
BINDINGS = {
    method_and_path(rule)[1]: method_and_path(rule)[0]
    for _, _, http in rest_methods(load_descriptors())
    for rule in bindings(http)
}
NO_RPC = (400, 404, 405)
"""Of what is nothing, whoever asks."""


def everything(issuer: Issuer) -> Headers:
    return bearer(issuer.token(roles=[f"only-{permission}" for permission in Permission]))


def nothing(issuer: Issuer) -> Headers:
    return bearer(issuer.token(roles=["nothing"]))


def told(reply: Reply) -> tuple[int, str, str, bytes]:
    """A well answer tells of the headers that came, which are others."""
    kind, allow = (reply.headers.get(name, "") for name in ("content-type", "allow"))
    return reply.status, kind, allow, b"" if reply.reached else reply.body


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("segment", SEGMENTS, ids=ascii)
def test_odd_paths(
    gate: GatewayProcess,
    gateway: GatewayProcess,
    issuer: Issuer,
    method: str,
    path: str,
    segment: str,
) -> None:
    asked = path.format(segment)
    without = told(send(gateway.port, method, asked))
    assert told(send(gate.port, method, asked, everything(issuer))) == without
    refused = told(send(gate.port, method, asked, nothing(issuer)))
    assert refused[0] == 403 or (refused == without and without[0] in NO_RPC)
    assert without[0] not in (404, 405) or refused == without


@pytest.mark.parametrize("path", BINDINGS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods(
    gate: GatewayProcess, gateway: GatewayProcess, issuer: Issuer, method: str, path: str
) -> None:
    asked = path.replace("{", "x").replace("}", "x")
    without = told(send(gateway.port, method, asked))
    assert told(send(gate.port, method, asked, everything(issuer))) == without
    refused = told(send(gate.port, method, asked, nothing(issuer)))
    assert (refused == without) == (without[0] in NO_RPC)
    assert refused[0] == 403 or refused == without
