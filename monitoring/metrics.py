"""What the program tells of its runs, of open alerts and of what is to be delivered."""

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from monitoring.alerts.store import AlertStore
from telemetry.snapshot import Snapshot

_alerts = Snapshot()
_runs = Histogram(
    "pmesh_monitoring_run_seconds",
    "How long runs took that ended well.",
    buckets=(0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600),
    registry=None,
)
_hours = Counter("pmesh_monitoring_hours_made", "Hours that were made.", ("model",), registry=None)

COLLECTORS: tuple[Collector, ...] = (_alerts, _runs, _hours)


def count_hours(model: str, hours: int) -> None:
    """So many were made of a model that is known."""
    _hours.labels(model).inc(hours)


def note_run(seconds: float) -> None:
    """One has ended well."""
    _runs.observe(seconds)


def read(store: AlertStore) -> None:
    """Tell how alerts and their deliveries now stand. Raises psycopg.Error."""
    open_ = GaugeMetricFamily(
        "pmesh_alerts_open", "Alerts that are not over.", labels=("model", "severity")
    )
    for model, severity, number in store.open_by_severity():
        open_.add_metric((model, severity), number)
    waiting = GaugeMetricFamily(
        "pmesh_alert_deliveries_waiting",
        "What the webhook is to be told.",
        value=store.deliveries_waiting(),
    )
    _alerts.take((open_, waiting))


def forget() -> None:
    """How alerts stand is not known while the database is away."""
    _alerts.forget()
