"""How the gateway stands at this moment: which models answer, how full is what is bounded."""

from collections.abc import Callable, Iterator, Mapping, Set

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.probes import Place
from gateway.store.catalog import Model
from telemetry.capacity import Capacities, capacity_metrics

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
        capacities: Capacities,
    ) -> None:
        """capacities: of what is bounded."""
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
        yield from capacity_metrics(self._capacities)

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
