"""Calls through a proxy, as the program beside it would make them, and how they end."""

import socket
from http.client import HTTPConnection

import grpc

from tests.mesh.proxy import Proxy
from tests.parts.polling import PATIENCE_S

Outcome = tuple[grpc.StatusCode, str]
"""The code and the details."""


class Channel:
    """Any unary rpc by a channel of gRPC, inside `with`."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def __enter__(self) -> "Channel":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def call(self, rpc: str, *metadata: tuple[str, str]) -> Outcome:
        """One call, to its end."""
        return outcome(self.begin(rpc, *metadata))

    def begin(self, rpc: str, *metadata: tuple[str, str]) -> grpc.Future:
        """One call that goes on meanwhile."""
        ask = self._channel.unary_unary(rpc)
        return ask.future(b"", metadata=metadata, timeout=PATIENCE_S)

    def told(self, rpc: str, *metadata: tuple[str, str]) -> dict[str, str]:
        """The metadata that comes at the end of a call, answered or refused."""
        return dict(self.begin(rpc, *metadata).trailing_metadata())


def outcome(call: grpc.Future) -> Outcome:
    """Waits for its end."""
    error = call.exception()
    return (error.code(), error.details() or "") if error else (grpc.StatusCode.OK, "")


def is_given_up(ended: Outcome) -> bool:
    """Whether the proxy took it for too long. Envoy has two timers for that: with one of them the
    code is UNAVAILABLE, with the other DEADLINE_EXCEEDED; the words are not the client's own.
    """
    return ended in (
        (grpc.StatusCode.UNAVAILABLE, "upstream request timeout"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "downstream duration timeout"),
    )


def channel(proxy: Proxy, host: str, port: int, *options: tuple[str, int | str]) -> Channel:
    """To one service. options: of gRPC; without any, nothing is tried again."""
    options = options or (("grpc.enable_retries", 0),)
    options = (("grpc.default_authority", f"{host}:{port}"), *options)
    return Channel(grpc.insecure_channel(f"{proxy.workload.outbound}:{port}", options=options))


def page(proxy: Proxy, host: str, port: int) -> int:
    """The status of a GET."""
    connection = HTTPConnection(proxy.workload.outbound, port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/", headers={"Host": f"{host}:{port}"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def line(proxy: Proxy, port: int) -> bytes:
    """What comes back for a line by TCP: nothing where the connection is closed."""
    with socket.create_connection((proxy.workload.outbound, port), timeout=PATIENCE_S) as sent:
        return answer(sent)


def answer(connection: socket.socket) -> bytes:
    """What comes back on one that is open."""
    try:
        connection.sendall(b"anybody?\n")
        return connection.recv(100)
    except (BrokenPipeError, ConnectionResetError):
        return b""
