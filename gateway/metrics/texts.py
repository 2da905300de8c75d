"""Texts that were to be predicted, and what became of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import product

from predict.v1.error_reason_pb2 import ErrorReason
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from contract.reasons import reason_name

SUCCEEDED, ACCEPTED, CANCELLED = "succeeded", "accepted", "cancelled"
"""Outcomes beside the reasons of errors."""
PROTOCOLS = ("grpc", "rest")
FAULTS = (
    *("MODEL_UNAVAILABLE", "INTERNAL", "STORE_UNAVAILABLE"),
    *("DEADLINE_EXCEEDED", "OVERLOADED"),
)
"""Reasons that count from 0: else the first burst of one would be no increase to Prometheus."""


class TextOutcomes(Collector):
    """All texts, by model, version, protocol and outcome.

    Of models and versions that there are not, as many as there are reasons: what is asked for by
    a name that nobody knows has none here.
    """

    def __init__(
        self, served: Callable[[], Iterable[tuple[str, str]]], *, counting: bool = True
    ) -> None:
        """served: models and versions that have traffic. counting: whether anybody will ask."""
        self._served = served
        self._counting = counting
        self._counts: Counter[tuple[str, str, str, str]] = Counter()

    def count(self, model: str, version: str, protocol: str, outcome: str) -> None:
        """One more. model, version: known ones, or empty."""
        if self._counting:
            self._counts[model, version, protocol, outcome] += 1

    def collect(self) -> Iterator[Metric]:
        """The metric as it now stands."""
        texts = CounterMetricFamily(
            "pmesh_predictions",
            "Texts that were to be predicted, by how that ended.",
            labels=("model", "version", "protocol", "outcome"),
        )
        if self._counting:
            for labels, count in (self._zeros() | dict(list(self._counts.items()))).items():
                texts.add_metric(labels, count)
        yield texts

    def _zeros(self) -> dict[tuple[str, str, str, str], int]:
        outcomes = product(self._served(), PROTOCOLS, (SUCCEEDED, *FAULTS))
        return {(*version, protocol, outcome): 0 for version, protocol, outcome in outcomes}


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
        self._counts: Counter[str] = Counter(dict.fromkeys(("caller", "model"), 0))

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
