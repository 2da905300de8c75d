"""What the program tells of its looks at Label Studio, and of where the tasks stand."""

from prometheus_client import Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

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


def count_labels(model: str, came: int) -> None:
    """So many have come, of a model that is known."""
    _labels.labels(model).inc(came)


def read(store: AnnotationStore) -> None:
    """Tell where tasks now stand. Raises psycopg.Error."""
    tasks = GaugeMetricFamily(
        "pmesh_annotation_tasks",
        "Predictions by where their tasks stand.",
        labels=("model", "state"),
    )
    for model in store.models():
        counts = store.counts(model)
        for state in STATES:
            tasks.add_metric((model, state), counts.get(state, 0))
        count_labels(model, 0)  # with what has not happened yet
    _tasks.take((tasks,))


def forget() -> None:
    """Where tasks stand is not known while the database is away."""
    _tasks.forget()


def note_look() -> None:
    """One has ended well."""
    _last_look.set_to_current_time()
