"""Where Prometheus reads the metrics: a port of its own, which no client of the gateway reaches."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

READ_S = 5.0
"""In which a request must have come and been answered: there is one at a time."""

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@contextmanager
def metrics_server(address: str, port: int, collector: Collector) -> Iterator[int]:
    """Answers at http://address:port/metrics, in a thread; yields the port.

    address: an IP address. Raises OSError if nothing can listen there.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    application: Application = make_wsgi_app(registry)
    if ip_address(address).is_loopback:
        application = _without_foreign_names(application)
    kind = _ServerV6 if ip_address(address).version == 6 else WSGIServer
    with make_server(address, port, application, kind, _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


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


class _ServerV6(WSGIServer):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    """One request, in time, whoever asks however slowly."""

    def setup(self) -> None:
        super().setup()
        self._deadline = threading.Timer(READ_S, self._give_up)
        self._deadline.daemon = True
        self._deadline.start()

    def finish(self) -> None:
        self._deadline.cancel()
        super().finish()

    def _give_up(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """A look at the metrics is no news."""
