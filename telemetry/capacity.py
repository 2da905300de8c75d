"""How full is what is bounded."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Capacities: TypeAlias = Mapping[str, tuple[Callable[[], float | None], float]]
"""Of each resource what is in use, None where nobody knows, and its bound."""


def capacity_metrics(capacities: Capacities) -> Iterator[Metric]:
    """As they now stand; a resource of which nobody knows is left out."""
    used = GaugeMetricFamily(
        "pmesh_capacity_used", "What is in use of what is bounded.", labels=("resource",)
    )
    limit = GaugeMetricFamily("pmesh_capacity_limit", "Its bound.", labels=("resource",))
    for resource, (in_use, bound) in list(capacities.items()):
        if (now := in_use()) is not None:
            used.add_metric((resource,), now)
            limit.add_metric((resource,), bound)
    yield used
    yield limit


class _OfThisProcess(Collector):
    def __init__(self) -> None:
        self.capacities: dict[str, tuple[Callable[[], float | None], float]] = {}

    def collect(self) -> Iterator[Metric]:
        yield from capacity_metrics(self.capacities)


CAPACITY = _OfThisProcess()
"""For telemetry.telling."""


def tell_capacity(resource: str, limit: float, in_use: Callable[[], float]) -> None:
    """Tell of a resource from now on. in_use: asked by another thread."""
    CAPACITY.capacities[resource] = in_use, limit
