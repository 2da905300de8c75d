"""What the program tells of its looks at Label Studio, and of where the tasks stand."""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from annotation.pulling import Pulled
from annotation.store import AnnotationStore
from telemetry.snapshot import Snapshot

STATES = ("SENDING", "SENT", "REMOVING", "REMOVED")
HEARD, REFUSED, NOT_FOUND = "heard", "refused", "not_found"

_tasks = Snapshot()
_labels = Counter("pmesh_annotation_labels", "Labels that came.", ("model",), registry=None)
_webhooks = Counter(
    "pmesh_annotation_webhooks",
    "Calls of Label Studio's webhook, and what became of them.",
    ("outcome",),
    registry=None,
)
_last_look = Gauge(
    "pmesh_annotation_last_look_timestamp_seconds", "When a look last ended well.", registry=None
)

COLLECTORS: tuple[Collector, ...] = (_tasks, _labels, _webhooks, _last_look)

for _outcome in (HEARD, REFUSED, NOT_FOUND):
    _webhooks.labels(_outcome)


def count_webhook(outcome: str) -> None:
    """One was called. outcome: one of those above."""
    _webhooks.labels(outcome).inc()


def note_look(store: AnnotationStore, pulled: Mapping[str, Pulled]) -> None:
    """A look has ended well: with what it has pulled, by model. Raises psycopg.Error."""
    tasks = GaugeMetricFamily(
        "pmesh_annotation_tasks",
        "Predictions by where their tasks stand.",
        labels=("model", "state"),
    )
    for model in store.models():
        counts = store.counts(model)
        for state in STATES:
            tasks.add_metric((model, state), counts.get(state, 0))
        _labels.labels(model).inc(pulled[model].added if model in pulled else 0)
    _tasks.take((tasks,))
    _last_look.set_to_current_time()
