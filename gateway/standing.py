"""How the gateway stands at this moment: which models answer, how full is what is bounded."""

from collections.abc import Callable, Iterator, Mapping, Set

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.probes import Place
from gateway.store.catalog import Model

WHOLE = 10_000
"""All of a model's traffic, in basis points."""


class GatewayStanding(Collector):
    """Looked at when somebody asks; the models are those of the catalog."""

    def __init__(
        self,
        *,
        models: Callable[[], Mapping[str, Model]],
        away: Callable[[], Set[Place]],
        store_answers: Callable[[], bool],
        capacities: Mapping[str, tuple[Callable[[], float | None], float]],
    ) -> None:
        """capacities: of each thing that is bounded, what is in use, None where nobody knows, and
        its bound.
        """
        self._models = models
        self._away = away
        self._store_answers = store_answers
        self._capacities = capacities

    def collect(self) -> Iterator[Metric]:
        """The metrics as they now stand."""
        yield from self._of_models()
        store = GaugeMetricFamily("pmesh_store_available", "Whether PostgreSQL answers: 1 or 0.")
        store.add_metric((), self._store_answers())
        yield store
        used = GaugeMetricFamily(
            "pmesh_capacity_used", "What is in use of what is bounded.", labels=("resource",)
        )
        limit = GaugeMetricFamily("pmesh_capacity_limit", "Its bound.", labels=("resource",))
        for resource, (in_use, bound) in self._capacities.items():
            if (now := in_use()) is not None:
                used.add_metric((resource,), now)
                limit.add_metric((resource,), bound)
        yield used
        yield limit

    def _of_models(self) -> Iterator[Metric]:
        labels = ("model", "version")
        ready = GaugeMetricFamily(
            "pmesh_model_ready", "Whether a version with traffic answers: 1 or 0.", labels=labels
        )
        share = GaugeMetricFamily(
            "pmesh_traffic_share", "The share of a model's traffic, 0 to 1.", labels=labels
        )
        away = frozenset(self._away())
        for model in list(self._models().values()):
            for version, points in model.traffic.items():
                place = Place(model.id, version, model.address_of(version))
                ready.add_metric((model.id, version), place not in away)
                share.add_metric((model.id, version), points / WHOLE)
        yield ready
        yield share
