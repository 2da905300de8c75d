"""Requests that are odd as HTTP/2: what they ask for is decided as ever, or they are refused."""

import socket

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)

from tests.integration.gateway.envoy.access.guarded import PREDICT
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.parts.issuer import Issuer

LIST = "/v1/predictions"
Fields = list[tuple[str, str]]
HEAD = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", LIST)]
GRPC = [
    *((":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", PREDICT)),
    *(("content-type", "application/grpc"), ("te", "trailers")),
]
TOKEN = ("authorization", "TOKEN")
"""Of the caller; APP is that of one who may."""
APP = ("authorization", "APP")


def but(fields: Fields, name: str, *values: str) -> Fields:
    """With other values of this one, or none."""
    first = [(key, value) for key, value in fields if key.startswith(":") and key != name]
    rest = [(key, value) for key, value in fields if not key.startswith(":") and key != name]
    return [*first, *((name, value) for value in values), *rest]


ODD: dict[str, Fields] = {
    "well formed": [*HEAD, TOKEN],
    "gRPC, well formed": [*GRPC, TOKEN],
    "no path": [*but(HEAD, ":path"), TOKEN],
    "an empty path": [*but(HEAD, ":path", ""), TOKEN],
    "two paths": [*but(HEAD, ":path", "/v1/models", LIST), TOKEN],
    "a star": [*but(HEAD, ":path", "*"), TOKEN],
    "a whole address": [*but(HEAD, ":path", f"http://a{LIST}"), TOKEN],
    "no authority": [*but(HEAD, ":authority"), TOKEN],
    "another host": [*HEAD, ("host", "b"), TOKEN],
    "two methods": [*but(HEAD, ":method", "GET", "POST"), TOKEN],
    "no method": [*but(HEAD, ":method"), TOKEN],
    "a method in small letters": [*but(HEAD, ":method", "get"), TOKEN],
    "another scheme": [*but(HEAD, ":scheme", "file"), TOKEN],
    "CONNECT": [(":method", "CONNECT"), (":authority", "a:80"), TOKEN],
    "CONNECT with a path": [*but(HEAD, ":method", "CONNECT"), TOKEN],
    "CONNECT of a protocol": [*but(HEAD, ":method", "CONNECT"), (":protocol", "websocket"), TOKEN],
    "CONNECT for gRPC": [*but(GRPC, ":method", "CONNECT"), TOKEN],
    "gRPC by GET": [*but(GRPC, ":method", "GET"), TOKEN],
    "a header of the way": [*HEAD, ("connection", "authorization"), TOKEN],
    "an upgrade": [*HEAD, ("connection", "upgrade"), ("upgrade", "h2c"), TOKEN],
    "codings": [*HEAD, ("te", "trailers, chunked"), TOKEN],
    "capitals": [*HEAD, TOKEN, ("Authorization", "APP")],
    "capitals of claims": [*HEAD, TOKEN, ("X-PMesh-Claims", "eyJzdWIiOiJldmUifQ")],
    "a name of ours behind the others": [*HEAD, TOKEN, (":path", LIST)],
    "two tokens": [*HEAD, TOKEN, ("authorization", "Basic YTpi"), APP],
    "two cookies": [*HEAD, TOKEN, ("cookie", "authorization=APP"), ("cookie", "access_token=APP")],
}


def ask(port: int, fields: Fields) -> str:
    """The code of gRPC, or else of HTTP, or "reached", or "reset"."""
    config = H2Configuration(
        client_side=True,
        header_encoding="utf-8",
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
    connection = H2Connection(config=config)
    connection.initiate_connection()
    connection.send_headers(1, fields, end_stream=True)
    answer, body = dict[str, str](), b""
    with socket.create_connection(("127.0.0.1", port), timeout=100) as sock:
        sock.sendall(connection.data_to_send())
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                match event:
                    case ResponseReceived():
                        answer = {str(name): str(value) for name, value in event.headers}
                    case DataReceived():
                        body += event.data
                    case StreamEnded() | StreamReset() | ConnectionTerminated():
                        return decided(answer, body)
            sock.sendall(connection.data_to_send())
    return decided(answer, body)


def decided(answer: dict[str, str], body: bytes) -> str:
    if b"featuresUri" in body or b'"predictions"' in body:
        return "reached"
    if code := answer.get("grpc-status"):
        return f"gRPC {code}"
    return answer.get(":status", "reset")


def test_who_may_reaches_them(gate: GatewayProcess, issuer: Issuer) -> None:
    token = ("authorization", f"Bearer {issuer.token(roles=['app'])}")
    assert ask(gate.port, [*HEAD, token]) == "reached"


@pytest.mark.parametrize("role", ["annotator", ""])
@pytest.mark.parametrize("name", ODD)
def test_an_odd_request_gives_no_right(
    gate: GatewayProcess, issuer: Issuer, name: str, role: str
) -> None:
    may = f"Bearer {issuer.token(roles=['app'])}"
    own = f"Bearer {issuer.token(roles=[role])}" if role else ""
    fields = [(key, value.replace("TOKEN", own).replace("APP", may)) for key, value in ODD[name]]
    fields = [(key, value) for key, value in fields if value or key != "authorization"]
    refusals = {"reset", "400", "401", "403", "404", "405", "gRPC 7", "gRPC 12", "gRPC 16"}
    assert ask(gate.port, fields) in refusals
