"""Calls through a proxy, as the program beside it would make them, and how they end."""

import socket
from http.client import HTTPConnection

import grpc

from tests.mesh.proxy import Proxy
from tests.parts.polling import PATIENCE_S


class Channel:
    """gRPC to one service, inside `with`."""

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        target = f"{proxy.workload.outbound}:{port}"
        # What is not answered is not tried again here.
        options = (("grpc.default_authority", f"{host}:{port}"), ("grpc.enable_retries", 0))
        self._channel = grpc.insecure_channel(target, options=options)

    def __enter__(self) -> "Channel":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def call(self, rpc: str, *metadata: tuple[str, str]) -> tuple[grpc.StatusCode, str]:
        """The code and the details."""
        ask = self._channel.unary_unary(rpc)
        try:
            ask(b"", metadata=metadata, timeout=PATIENCE_S)
        except grpc.RpcError as error:
            return error.code(), error.details() or ""
        return grpc.StatusCode.OK, ""

    def told(self, rpc: str, *metadata: tuple[str, str]) -> dict[str, str]:
        """The metadata that comes at the end of a call, answered or refused."""
        ask = self._channel.unary_unary(rpc)
        call = ask.future(b"", metadata=metadata, timeout=PATIENCE_S)
        return dict(call.trailing_metadata())


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
        try:
            sent.sendall(b"anybody?\n")
            return sent.recv(100)
        except ConnectionResetError:
            return b""
