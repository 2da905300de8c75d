"""What Envoy, in the same process, counts of connections and of what it answers."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.envoy.admin import EnvoyAdmin
from gateway.envoy.collector import COLLECTOR

_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_PREFIX = "http.gateway.downstream_"
_SENDINGS = f"cluster.{COLLECTOR}.upstream_rq_"
_PATTERN = (
    r"^(http\.gateway\.downstream_(cx_active|rq_[1-5]xx)"
    rf"|cluster\.{COLLECTOR}\.upstream_rq_(completed|2xx))$"
)


class EnvoyStats(Collector):
    """Asked once when somebody asks; without an Envoy there is nothing."""

    def __init__(self, admin: EnvoyAdmin) -> None:
        self._admin = admin
        self._found: dict[str, int] = {}

    def connections(self) -> int | None:
        """How many were open when it was last asked; None: there was no Envoy."""
        return self._found.get(f"{_PREFIX}cx_active")

    def collect(self) -> Iterator[Metric]:
        """The metrics as they now stand."""
        found = self._found = self._read()
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
        if f"{_SENDINGS}completed" in found:
            yield _sendings(found[f"{_SENDINGS}completed"], found.get(f"{_SENDINGS}2xx", 0))

    def _read(self) -> dict[str, int]:
        try:
            return self._admin.stats(_PATTERN)
        except OSError:
            return {}


def _sendings(ended: int, delivered: int) -> Metric:
    """Envoy counts no spans, but how often it has sent some."""
    sendings = CounterMetricFamily(
        "pmesh_envoy_span_batches",
        "How often Envoy has sent some spans of its own, by what became of them.",
        labels=("outcome",),
    )
    sendings.add_metric(("delivered",), delivered)
    sendings.add_metric(("dropped",), ended - delivered)
    return sendings
