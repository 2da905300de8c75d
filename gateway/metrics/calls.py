"""Calls, by rpc and by how they ended.

Source of the names: https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/.
"""

from collections.abc import Iterator

import grpc
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.metrics.histogram import Histogram


class Series:
    """The calls of one rpc; one thread counts."""

    def __init__(self) -> None:
        self.active = 0
        self.by_code: dict[grpc.StatusCode, Histogram] = {}

    def end(self, code: grpc.StatusCode, seconds: float, trace_id: str = "") -> None:
        """One of the active calls has ended. trace_id: of its trace, if that is recorded."""
        self.active -= 1
        durations = self.by_code.get(code)
        if durations is None:
            durations = self.by_code[code] = Histogram()
        durations.observe(seconds, trace_id)


class Calls(Collector):
    """All calls, by rpc: so many series as there are rpcs and codes, whatever clients send."""

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}

    def of(self, rpc: str) -> Series:
        """Those of one rpc; to be asked for once, when it is registered.

        rpc: "package.Service/Method".
        """
        return self._series.setdefault(rpc, Series())

    def collect(self) -> Iterator[Metric]:
        """The metrics as they now stand."""
        durations = HistogramMetricFamily(
            "rpc_server_call_duration_seconds",
            "Calls that have ended, and how long they took.",
            labels=("rpc_system_name", "rpc_method", "rpc_response_status_code"),
        )
        active = GaugeMetricFamily(
            "rpc_server_active_calls",
            "Calls under way.",
            labels=("rpc_system_name", "rpc_method"),
        )
        for rpc, series in list(self._series.items()):
            active.add_metric(("grpc", rpc), series.active)
            for code, found in list(series.by_code.items()):
                durations.add_metric(("grpc", rpc, code.name), found.buckets(), found.sum)
        yield durations
        yield active
