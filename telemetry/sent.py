"""How many spans a program has sent, and how many it has dropped for which reason."""

import threading
from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

REASONS = ("queue_full", "not_delivered", "kept_per_s")


class Sent(Collector):
    """Threads may count at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = self._exported = 0
        self._dropped = Counter[str](dict.fromkeys(REASONS, 0))

    def may_wait(self, most: int) -> bool:
        """Whether there is room for one more, which is then counted; else it is dropped."""
        with self._lock:
            if self._waiting >= most:
                self._dropped["queue_full"] += 1
                return False
            self._waiting += 1
            return True

    def settle(self, spans: int, *, dropped_for: str = "") -> None:
        """So many wait no more: they have arrived, or are dropped for a reason."""
        with self._lock:
            self._waiting -= spans
            if dropped_for:
                self._dropped[dropped_for] += spans
            else:
                self._exported += spans

    def drop(self, reason: str, spans: int) -> None:
        """So many that never waited."""
        with self._lock:
            self._dropped[reason] += spans

    def collect(self) -> Iterator[Metric]:
        """The metrics as they now stand."""
        exported = CounterMetricFamily("pmesh_spans_exported", "Spans that have arrived.")
        dropped = CounterMetricFamily(
            "pmesh_spans_dropped", "Spans that nobody will see.", labels=("reason",)
        )
        waiting = GaugeMetricFamily("pmesh_spans_waiting", "Spans that are to be sent.")
        with self._lock:
            exported.add_metric((), self._exported)
            waiting.add_metric((), self._waiting)
            for reason, count in self._dropped.items():
                dropped.add_metric((reason,), count)
        yield from (exported, dropped, waiting)
