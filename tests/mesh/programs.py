"""The programs behind the proxies: they answer whatever is asked, and count it."""

import socketserver
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import grpc

from tests.parts.ports import free_port

ECHO = b"as it was said\n"


class Rpcs(grpc.GenericRpcHandler):
    """Answers every unary rpc with nothing, by gRPC in plain text, as behind a sidecar."""

    def __init__(self) -> None:
        self.calls = 0
        """How many have come."""
        self.code: Callable[[int], grpc.StatusCode] = lambda call: grpc.StatusCode.OK
        """What the n-th call ends with, from 1."""
        self.meanwhile: Callable[[int], object] = lambda call: None
        """What is waited for before the n-th ends."""
        self.port = free_port()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._server = grpc.server(ThreadPoolExecutor(100), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=None).wait()

    def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Any."""
        return grpc.unary_unary_rpc_method_handler(self._answer)

    def _answer(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        with self._lock:
            self.calls += 1
            call = self.calls
        self.meanwhile(call)
        code = self.code(call)
        if code is not grpc.StatusCode.OK:
            context.abort(code, "as the test wants it")
        return b""


class Pages:
    """Answers whatever is asked by HTTP, and keeps what it was asked with."""

    def __init__(self) -> None:
        self.requests: list[Message] = []
        """The headers of each that has come."""
        self.status = 200
        """Of each answer."""

    def __enter__(self) -> Self:
        pages = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                pages.requests.append(self.headers)
                self.send_response(pages.status)
                self.send_header("Content-Length", str(len(ECHO)))
                self.end_headers()
                self.wfile.write(ECHO)

            do_POST = do_DELETE = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = _serve(ThreadingHTTPServer(("127.0.0.1", free_port()), Answer))
        self.port = self._server.server_address[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Lines:
    """Says each line again, by TCP."""

    def __enter__(self) -> Self:
        class Answer(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    self.wfile.write(line)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", free_port()), Answer)
        server.daemon_threads = True
        self._server = _serve(server)
        self.port = self._server.server_address[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _serve(server: Any) -> Any:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
