"""The newest figures as Prometheus reads them.

No label has what a client made up: of the slices by tag those are told that a rule watches, which
an operator has named. There are at most SERIES of them: the figures of all rows come first, and of
the rest those of the first models, versions and slices by name. A figure's bins and labels are told
for all rows only, but for what a rule watches.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from contract.alert_rules import AlertRule
from monitoring.store import QualityStore

SERIES = 10_000
_LABELS = ("model", "version", "slice", "metric")


class Quality(Collector):
    """The figures of each model's newest hour; read after each run, told when somebody asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._metrics: list[Metric] = []

    def read(self, store: QualityStore, rules: Mapping[str, Sequence[AlertRule]]) -> None:
        """Take what a run has made. rules: by model. Raises psycopg.Error."""
        metrics = _metrics(store, rules)
        with self._lock:
            self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """The metrics as they now stand."""
        with self._lock:
            yield from self._metrics


def _metrics(store: QualityStore, rules: Mapping[str, Sequence[AlertRule]]) -> list[Metric]:
    watched = {(model, rule.slice, rule.metric) for model, said in rules.items() for rule in said}
    values, lows, highs, rows = (
        GaugeMetricFamily(f"pmesh_quality{suffix}", text, labels=_LABELS)
        for suffix, text in (
            ("", "A figure of a model's newest hour that is over."),
            ("_low", "Where its 95 % interval begins."),
            ("_high", "Where its 95 % interval ends."),
            ("_rows", "Predictions that it was made from."),
        )
    )
    hours = GaugeMetricFamily(
        "pmesh_quality_hour_timestamp_seconds", "When that hour began.", labels=("model",)
    )
    run = GaugeMetricFamily(
        "pmesh_monitoring_last_run_timestamp_seconds", "When the job last ended well."
    )
    run.add_metric((), time.time())
    begun = {}
    slices = sorted({(model, slice_) for model, slice_, _ in watched if slice_})
    for figure in store.latest(SERIES, slices):
        is_watched = (figure.model, figure.slice, figure.metric) in watched
        if figure.slice and ":" in figure.metric and not is_watched:
            continue
        labels = (figure.model, figure.version, figure.slice, figure.metric)
        values.add_metric(labels, figure.value)
        rows.add_metric(labels, figure.rows)
        if figure.low is not None and figure.high is not None:
            lows.add_metric(labels, figure.low)
            highs.add_metric(labels, figure.high)
        begun[figure.model] = figure.hour.timestamp()
    for model, moment in begun.items():
        hours.add_metric((model,), moment)
    return [values, lows, highs, rows, hours, run]
