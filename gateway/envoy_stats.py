"""What Envoy, in the same process, counts of connections and of what it answers."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.envoy.admin import EnvoyAdmin

_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_PREFIX = "http.gateway.downstream_"
_PATTERN = r"^http\.gateway\.downstream_(cx_active|rq_[1-5]xx)$"


class EnvoyStats(Collector):
    """Asked when somebody asks; without an Envoy there is nothing."""

    def __init__(self, admin: EnvoyAdmin) -> None:
        self._admin = admin

    def connections(self) -> int | None:
        """How many are open; None: there is no Envoy."""
        return self._read().get(f"{_PREFIX}cx_active")

    def collect(self) -> Iterator[Metric]:
        """The metrics as they now stand."""
        found = self._read()
        if not found:
            return
        connections = GaugeMetricFamily("pmesh_http_connections", "Connections that are open.")
        connections.add_metric((), found.get(f"{_PREFIX}cx_active", 0))
        requests = CounterMetricFamily(
            "pmesh_http_requests", "Requests, by the class of their status.", labels=("code_class",)
        )
        for code_class in _CLASSES:
            requests.add_metric((code_class,), found.get(f"{_PREFIX}rq_{code_class}", 0))
        yield connections
        yield requests

    def _read(self) -> dict[str, int]:
        try:
            return self._admin.stats(_PATTERN)
        except OSError:
            return {}
