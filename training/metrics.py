"""What the process tells of the trainings that it works off."""

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from telemetry.snapshot import Snapshot
from training.store import TrainingStore

OUTCOMES = ("succeeded", "failed")

_trainings = Counter(
    "pmesh_trainings", "Trainings that have ended.", ("model", "outcome"), registry=None
)
_seconds = Histogram(
    "pmesh_training_seconds",
    "How long they took.",
    ("model",),
    buckets=(10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600),
    registry=None,
)
_waiting = Snapshot()

COLLECTORS: tuple[Collector, ...] = (_trainings, _seconds, _waiting)


def count(model: str, outcome: str, seconds: float) -> None:
    """One has ended, of a model that is known. outcome: one of OUTCOMES."""
    _trainings.labels(model, outcome).inc()
    _seconds.labels(model).observe(seconds)


def read(store: TrainingStore, model: str) -> None:
    """Tell how many wait. model: of which; "" for all. Raises psycopg.Error."""
    waiting = store.waiting(model)
    _waiting.take(
        (
            GaugeMetricFamily(
                "pmesh_trainings_waiting",
                "Trainings that nobody has begun.",
                value=sum(waiting.values()),
            ),
        )
    )
    for one in waiting:  # with what has not happened yet, as 0
        for outcome in OUTCOMES:
            _trainings.labels(one, outcome)
        _seconds.labels(one)


def forget() -> None:
    """How many wait is not known while the database is away."""
    _waiting.forget()
