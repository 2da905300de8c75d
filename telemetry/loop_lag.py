"""How late a program's event loop comes round, and since when it has not: whatever waits in it
waits so long."""

import asyncio
import time
from collections.abc import Iterator

from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

LOOK_S = 0.5
BOUNDS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopLag(Collector):
    """Run `watch` in the loop."""

    def __init__(self) -> None:
        self._lag = Histogram(
            "pmesh_event_loop_lag_seconds",
            "How late the event loop came round.",
            buckets=BOUNDS_S,
            registry=None,
        )
        self._came_round = time.monotonic()

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            self._came_round = time.monotonic()
            due = clock() + LOOK_S
            await asyncio.sleep(LOOK_S)
            self._lag.observe(max(clock() - due, 0.0))

    def collect(self) -> Iterator[Metric]:
        """The metrics as they now stand."""
        yield from self._lag.collect()
        silent_s = time.monotonic() - self._came_round  # now: a loop that hangs tells nothing
        yield GaugeMetricFamily(
            "pmesh_event_loop_silent_seconds",
            "Since the event loop last came round.",
            value=silent_s,
        )
