"""How full is what is bounded."""

from collections.abc import Callable

from prometheus_client import Gauge

_USED = Gauge("pmesh_capacity_used", "Of what is bounded.", ("resource",), registry=None)
_LIMIT = Gauge("pmesh_capacity_limit", "The bounds.", ("resource",), registry=None)
CAPACITY = (_USED, _LIMIT)
"""For telemetry.telling."""


def tell_capacity(resource: str, limit: float, in_use: Callable[[], float]) -> None:
    """Tell of a resource from now on. in_use: asked by another thread."""
    _USED.labels(resource).set_function(in_use)
    _LIMIT.labels(resource).set(limit)
