"""Requests that are odd as HTTP: what they ask for is decided as ever, or they are refused."""

from http.client import HTTPConnection

import pytest

from tests.integration.gateway.envoy.access.guarded import bearer, exchange
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.parts.issuer import Issuer

LIST = "/v1/predictions"
ODD = {
    # Lines, of which TOKEN is the caller's own and APP that of one who may, and what follows them.
    "well formed": ([f"GET {LIST} HTTP/1.1", "host: a", "TOKEN"], ""),
    "HTTP/1.0": ([f"GET {LIST} HTTP/1.0", "host: a", "TOKEN"], ""),
    "HTTP/1.0 without a host": ([f"GET {LIST} HTTP/1.0", "TOKEN"], ""),
    "HTTP/2 by name": ([f"GET {LIST} HTTP/2.0", "host: a", "TOKEN"], ""),
    "no version": ([f"GET {LIST}", "host: a", "TOKEN"], ""),
    "no host": ([f"GET {LIST} HTTP/1.1", "TOKEN"], ""),
    "two hosts": ([f"GET {LIST} HTTP/1.1", "host: a", "host: b", "TOKEN"], ""),
    "a host with a path": ([f"GET {LIST} HTTP/1.1", "host: a/v1/models", "TOKEN"], ""),
    "a host with a name before it": ([f"GET {LIST} HTTP/1.1", "host: eve@a", "TOKEN"], ""),
    "a whole address": ([f"GET http://b{LIST} HTTP/1.1", "host: a", "TOKEN"], ""),
    "one with a name before it": ([f"GET http://eve:APP@a{LIST} HTTP/1.1", "host: a", "TOKEN"], ""),
    "one of another scheme": ([f"GET file://a{LIST} HTTP/1.1", "host: a", "TOKEN"], ""),
    "one of TLS": ([f"GET https://a:443{LIST} HTTP/1.1", "host: a", "TOKEN"], ""),
    "small letters": ([f"get {LIST} HTTP/1.1", "host: a", "TOKEN"], ""),
    "TRACE": ([f"TRACE {LIST} HTTP/1.1", "host: a", "TOKEN"], ""),
    "a star": (["OPTIONS * HTTP/1.1", "host: a", "TOKEN"], ""),
    "a star of GET": (["GET * HTTP/1.1", "host: a", "TOKEN"], ""),
    "CONNECT to a host": (["CONNECT a:80 HTTP/1.1", "host: a:80", "TOKEN"], ""),
    "CONNECT to a path": ([f"CONNECT {LIST} HTTP/1.1", "host: a", "TOKEN"], ""),
    "CONNECT for gRPC": (
        ["CONNECT a:80 HTTP/1.1", "host: a:80", "content-type: application/grpc", "TOKEN"],
        "",
    ),
    "an upgrade to HTTP/2": (
        [
            *(f"GET {LIST} HTTP/1.1", "host: a", "TOKEN", "connection: upgrade, http2-settings"),
            *("upgrade: h2c", "http2-settings: AAMAAABkAAQCAAAAAAIAAAAA"),
        ],
        "",
    ),
    "an upgrade to a web socket": (
        [
            *(f"GET {LIST} HTTP/1.1", "host: a", "TOKEN", "connection: upgrade"),
            *("upgrade: websocket", "sec-websocket-version: 13"),
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        ],
        "",
    ),
    "a folded token": ([f"GET {LIST} HTTP/1.1", "host: a", "TOKEN", "x: a", " APP"], ""),
    "a token of which the name ends in a space": (
        [f"GET {LIST} HTTP/1.1", "host: a", "TOKEN", "authorization : Bearer APP"],
        "",
    ),
    "codings for the way": (
        [f"GET {LIST} HTTP/1.1", "host: a", "TOKEN", "te: trailers, chunked", "connection: te"],
        "",
    ),
    "a token behind the body": (
        [
            *(f"GET {LIST} HTTP/1.1", "host: a", "TOKEN", "trailer: authorization"),
            "transfer-encoding: chunked",
        ],
        "0\r\nauthorization: Bearer APP\r\n\r\n",
    ),
    "a request in the body": (
        [
            f"GET {LIST} HTTP/1.1",
            "host: a",
            "TOKEN",
            "content-length: 4",
            "transfer-encoding: chunked",
        ],
        f"0\r\n\r\nGET {LIST} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer APP\r\n\r\n",
    ),
    "an unknown coding": (
        [f"GET {LIST} HTTP/1.1", "host: a", "TOKEN", "transfer-encoding: identity, chunked"],
        "0\r\n\r\n",
    ),
    "a header to be continued": (
        [f"GET {LIST} HTTP/1.1", "host: a", "TOKEN", "expect: 100-continue"],
        "",
    ),
    "too many headers for one hop": (
        [f"GET {LIST} HTTP/1.1", "host: a", "TOKEN", f"connection: {', '.join('abcdefghijkl')}"],
        "",
    ),
}


@pytest.mark.parametrize("role", ["annotator", ""])
@pytest.mark.parametrize("name", ODD)
def test_an_odd_request_gives_no_right(
    gate: GatewayProcess, issuer: Issuer, name: str, role: str
) -> None:
    lines, rest = ODD[name]
    own = f"authorization: Bearer {issuer.token(roles=[role])}" if role else "x-nobody: at all"
    head = "".join(f"{line}\r\n" for line in lines).replace("TOKEN", own)
    sent = f"{head}\r\n{rest}".replace("APP", issuer.token(roles=["app"])).encode()
    reply = exchange(gate.port, sent, lines[0].split()[0])
    assert not reply.reached
    assert 400 <= reply.status < 600  # no tunnel is opened
    assert b"INTERNAL" not in reply.body


def test_the_token_of_a_request_is_not_that_of_the_next(
    gate: GatewayProcess, issuer: Issuer
) -> None:
    connection = HTTPConnection("127.0.0.1", gate.port, timeout=100)
    statuses = []
    for headers in (dict(bearer(issuer.token(roles=["app"]))), {}) * 2:
        connection.request("GET", LIST, headers=headers)
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
    connection.close()
    assert statuses == [200, 401, 200, 401]
