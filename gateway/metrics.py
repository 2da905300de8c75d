"""What the gateway counts.

Names and bounds: https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/. Counting costs a
call less than a microsecond; the work is done when somebody reads.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

import grpc
from predict.v1.error_reason_pb2 import ErrorReason
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from contract.reasons import reason_name

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


class _Durations:
    """How many calls took how long."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0


class Series:
    """The calls of one rpc; one thread counts."""

    def __init__(self) -> None:
        self.active = 0
        self.by_code: dict[grpc.StatusCode, _Durations] = {}

    def end(self, code: grpc.StatusCode, seconds: float) -> None:
        """One of the active calls has ended."""
        self.active -= 1
        durations = self.by_code.get(code)
        if durations is None:
            durations = self.by_code[code] = _Durations()
        durations.counts[bisect_left(BOUNDS_S, seconds)] += 1
        durations.sum_s += seconds


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
                buckets = zip((*map(str, BOUNDS_S), "+Inf"), accumulate(found.counts), strict=True)
                durations.add_metric(("grpc", rpc, code.name), list(buckets), found.sum_s)
        yield durations
        yield active


class Unrecorded(Collector):
    """Texts that were to be predicted and have no row: so many series as there are reasons."""

    def __init__(self) -> None:
        self._counts: Counter[ErrorReason] = Counter()

    def count(self, reason: ErrorReason) -> None:
        """One more, for this reason."""
        self._counts[reason] += 1

    def collect(self) -> Iterator[Metric]:
        """The metric as it now stands."""
        unrecorded = CounterMetricFamily(
            "predict_unrecorded",
            "Texts to be predicted that were refused or failed and are not in the record.",
            labels=("reason",),
        )
        for reason, count in list(self._counts.items()):
            unrecorded.add_metric((reason_name(reason),), count)
        yield unrecorded


class Limited(Collector):
    """Texts that were refused because more came than may, by the kind of the limit."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, limit: str) -> None:
        """One more. limit: "caller" or "model"."""
        self._counts[limit] += 1

    def collect(self) -> Iterator[Metric]:
        """The metric as it now stands."""
        limited = CounterMetricFamily(
            "predict_rate_limited",
            "Texts to be predicted that were refused because their caller, or all callers of their"
            " model, sent more than they may.",
            labels=("limit",),
        )
        for limit, count in list(self._counts.items()):
            limited.add_metric((limit,), count)
        yield limited
