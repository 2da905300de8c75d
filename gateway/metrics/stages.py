"""Where the time of predictions goes: waiting for a batch, the inference, the record."""

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.metrics.histogram import SIZES, Histogram, Unobserved


class Stages(NamedTuple):
    """Of one version of a model."""

    wait: Histogram
    """Seconds until a text's batch began."""
    infer: Histogram
    """Seconds that its batch took, for each of its texts."""
    record: Histogram
    """Seconds until its row was committed."""
    batch: Histogram
    """Texts of a batch."""


class StagesByVersion(Collector):
    """As many series as versions have answered."""

    def __init__(self, *, counting: bool = True) -> None:
        """counting: whether anybody will ask."""
        unobserved = Unobserved()
        self._none = None if counting else Stages(unobserved, unobserved, unobserved, unobserved)
        self._stages: dict[tuple[str, str], Stages] = {}

    def of(self, model: str, version: str) -> Stages:
        """Those of a version that answers."""
        if self._none is not None:
            return self._none
        found = self._stages.get((model, version))
        if found is None:
            found = Stages(Histogram(), Histogram(), Histogram(), Histogram(SIZES))
            self._stages[model, version] = found
        return found

    def collect(self) -> Iterator[Metric]:
        """The metrics as they now stand."""
        seconds = HistogramMetricFamily(
            "pmesh_prediction_stage_seconds",
            "Seconds of predictions made now: wait for a batch, infer, record.",
            labels=("model", "version", "stage"),
        )
        sizes = HistogramMetricFamily(
            "pmesh_inference_batch_size",
            "Texts that went to a model together.",
            labels=("model", "version"),
        )
        for version, stages in list(self._stages.items()):
            for name in ("wait", "infer", "record"):
                found: Histogram = getattr(stages, name)
                seconds.add_metric((*version, name), found.buckets(), found.sum)
            sizes.add_metric(version, stages.batch.buckets(), stages.batch.sum)
        yield seconds
        yield sizes


class Commits(Collector):
    """The rows that are written together, and how long that takes."""

    STATEMENTS = ("finished", "accepted")

    def __init__(self, *, counting: bool = True) -> None:
        """counting: whether anybody will ask."""
        make = Histogram if counting else Unobserved
        self.rows = {statement: make(SIZES) for statement in self.STATEMENTS}
        self.seconds = {statement: make() for statement in self.STATEMENTS}

    def collect(self) -> Iterator[Metric]:
        """The metrics as they now stand."""
        rows = HistogramMetricFamily(
            "pmesh_commit_rows", "Rows that were committed together.", labels=("statement",)
        )
        seconds = HistogramMetricFamily(
            "pmesh_commit_seconds", "Seconds that a commit took.", labels=("statement",)
        )
        for metric, found in ((rows, self.rows), (seconds, self.seconds)):
            for statement, histogram in found.items():
                metric.add_metric((statement,), histogram.buckets(), histogram.sum)
        yield rows
        yield seconds
