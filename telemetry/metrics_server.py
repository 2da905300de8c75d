"""Where Prometheus reads a program's metrics: a port of its own, which no client reaches."""

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from socketserver import TCPServer
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    ProcessCollector,
    disable_created_metrics,
    make_wsgi_app,
)
from prometheus_client.registry import Collector

from contract.settings import InvalidSetting

READ_S = 2.0
"""In which a request must have come: there is one at a time."""
ANSWER_S = 10.0
"""In which it must then have been answered and read: as long as Prometheus waits by default."""


class CannotListen(InvalidSetting, OSError):
    """No metrics at this address; the message says why."""


Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@contextmanager
def metrics_server(
    address: str,
    port: int,
    *collectors: Collector,
    mounts: Mapping[str, Application] = MappingProxyType({}),
) -> Iterator[None]:
    """Answers at http://address:port/metrics, in a thread, with the process' own figures too.

    address: an IP address. port: 0: nowhere. mounts: what answers below other paths, by how these
    begin. Raises CannotListen if nothing can listen there.
    """
    if not port:
        yield
        return
    # Twice the series, for what the start of the process says.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    for collector in collectors:
        registry.register(collector)
    with serving_metrics(address, port, registry, mounts=mounts):
        yield


@contextmanager
def serving_metrics(
    address: str,
    port: int,
    registry: CollectorRegistry,
    *,
    mounts: Mapping[str, Application] = MappingProxyType({}),
    answer_s: float = ANSWER_S,
) -> Iterator[None]:
    """The same of what a registry has, without the process' own figures."""
    with _listen(address, port) as server:
        server.answer_s = answer_s
        application = _routed(make_wsgi_app(registry), mounts)
        if ip_address(address).is_loopback:
            application = _without_foreign_names(application)
        server.set_app(application)
        thread = threading.Thread(
            target=server.serve_forever, args=(0.1,), name="metrics", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _listen(address: str, port: int) -> "_Server":
    try:
        kind = _ServerV6 if ip_address(address).version == 6 else _Server
        return kind((address, port), _Handler)
    except ValueError as error:
        raise CannotListen(f"metrics at {address}:{port}: it is no IP address") from error
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CannotListen(f"metrics at {address}:{port}: {reason}") from error


def _routed(metrics: Application, mounts: Mapping[str, Application]) -> Application:
    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return metrics(environ, start_response)
        for prefix, application in mounts.items():
            if path.startswith(prefix):
                return application(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"the metrics are at /metrics\n"]

    return answer


def _without_foreign_names(application: Application) -> Application:
    """A web page may have a name of its own resolved to this machine, and read what it likes."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if _is_local(environ.get("HTTP_HOST", "")):
            return application(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"the Host must be localhost or an IP address\n"]

    return answer


def _is_local(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ip_address(name))
    except ValueError:
        return False


class _Server(WSGIServer):
    """One request at a time."""

    answer_s = ANSWER_S

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's would ask the DNS for our name
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has gone: that is no news either."""


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    """One request, in time, whoever asks however slowly."""

    def setup(self) -> None:
        super().setup()
        self._deadline = self._within(READ_S)

    def parse_request(self) -> bool:
        """All of it has come."""
        has_come = super().parse_request()
        self._deadline.cancel()
        assert isinstance(self.server, _Server)
        self._deadline = self._within(self.server.answer_s)
        return has_come

    def finish(self) -> None:
        self._deadline.cancel()
        super().finish()

    def _within(self, seconds: float) -> threading.Timer:
        deadline = threading.Timer(seconds, self._give_up)
        deadline.daemon = True
        deadline.start()
        return deadline

    def _give_up(self) -> None:
        with suppress(OSError):  # whoever asked has gone, or the answer is just done
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """A look at the metrics is no news."""
