"""How often what was observed fell between bounds."""

import time
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeAlias

from prometheus_client.core import Exemplar

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Source: https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/."""
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)

Bucket: TypeAlias = tuple[str, float] | tuple[str, float, Exemplar]


class Histogram:
    """One series; one thread observes, any may read."""

    __slots__ = ("_bounds", "_counts", "_exemplars", "sum")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._exemplars: dict[int, Exemplar] = {}
        self.sum = 0.0

    def observe(self, value: float, trace_id: str = "") -> None:
        """One more. trace_id: of the trace in which it is to be seen, if that is recorded."""
        self.observe_times(value, 1, trace_id)

    def observe_times(self, value: float, times: int, trace_id: str = "") -> None:
        """So many more, all the same. trace_id: of one of them."""
        bucket = bisect_left(self._bounds, value)
        self._counts[bucket] += times
        self.sum += value * times
        if trace_id:
            self._exemplars[bucket] = Exemplar({"trace_id": trace_id}, value, time.time())

    def buckets(self) -> list[Bucket]:
        """As a HistogramMetricFamily takes them."""
        bounds = (*map(str, self._bounds), "+Inf")
        exemplars = dict(self._exemplars)
        return [
            (bound, count, exemplars[n]) if n in exemplars else (bound, count)
            for n, (bound, count) in enumerate(zip(bounds, accumulate(self._counts), strict=True))
        ]


class Unobserved(Histogram):
    """What nobody will ask for."""

    __slots__ = ()

    def observe(self, value: float, trace_id: str = "") -> None:
        """Nothing."""

    def observe_times(self, value: float, times: int, trace_id: str = "") -> None:
        """Nothing."""
