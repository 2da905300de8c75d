"""What is asked of Envoy's admin interface by those who scrape."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from prometheus_client import CollectorRegistry

from gateway.envoy.admin import EnvoyAdmin
from gateway.envoy_stats import EnvoyStats
from gateway.standing import GatewayStanding


def test_envoy_is_asked_once_a_scrape() -> None:
    asked: list[str] = []

    class Admin(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"http.gateway.downstream_cx_active: 3\n")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Admin)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        envoy = EnvoyStats(EnvoyAdmin(port=server.server_port))
        registry = CollectorRegistry()
        registry.register(envoy)
        registry.register(
            GatewayStanding(
                models=dict,
                away=set,
                store_answers=lambda: True,
                capacities={"connections": (envoy.connections, 10)},
            )
        )
        told = {
            (sample.name, sample.labels.get("resource")): sample.value
            for metric in registry.collect()
            for sample in metric.samples
        }
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert told["pmesh_capacity_used", "connections"] == 3
    assert told["pmesh_http_connections", None] == 3
    assert len(asked) == 1
