"""Envoy's admin interface: what the launcher asks of a running Envoy."""

import http.client
from urllib.parse import quote

LOOK_S = 1.0
"""That figures may take: whoever scrapes waits for them."""


class EnvoyAdmin:
    """The admin interface at a port of loopback. Every method raises OSError if it is gone."""

    def __init__(self, *, port: int) -> None:
        self._port = port

    def start_drain(self) -> None:
        """Tell clients to leave their connections, take no new connections."""
        self._ask("POST", "/drain_listeners?graceful&skip_exit")
        self._ask("POST", "/drain_listeners")

    def is_drained(self) -> bool:
        """Whether no request is in flight and every answer has left for its socket."""
        gauges = self._ask(
            "GET", "/stats?filter=^http.gateway.downstream_(rq_active|cx_tx_bytes_buffered)$"
        )
        return all(line.endswith(": 0") for line in gauges.splitlines())

    def stats(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose names match a regular expression."""
        answer = self._ask("GET", f"/stats?filter={quote(pattern)}", timeout_s=LOOK_S)
        lines = answer.splitlines()
        pairs = (line.rpartition(": ") for line in lines)
        return {name: int(value) for name, _, value in pairs if value.isdecimal()}

    def _ask(self, method: str, path: str, *, timeout_s: float = 5) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout_s)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        except http.client.HTTPException as error:
            raise ConnectionError(f"envoy's admin interface: {error}") from error
        finally:
            connection.close()
