"""What the release process tells of its work, and of what the database says at each look."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rollout.refusal import Refused
from rollout.store import ReleaseStore, StateCount
from telemetry.snapshot import Snapshot
from telemetry.spans import span

OUTCOMES = ("passed", "refused", "failed")
CHANGES = ("taken_up", "step", "refused", "interrupted")

_standing = Snapshot()
_gates = Histogram(
    "pmesh_gate_seconds",
    "How long versions were checked before they might serve.",
    ("model", "outcome"),
    buckets=(1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200),
    registry=None,
)
_changes = Counter(
    "pmesh_release_changes", "What became of releases.", ("model", "change"), registry=None
)

COLLECTORS: tuple[Collector, ...] = (_standing, _gates, _changes)


def count(model: str, change: str) -> None:
    """One of CHANGES, of a release of a model that is known."""
    _changes.labels(model, change).inc()


@contextmanager
def gate(model: str) -> Iterator[None]:
    """A version is checked within the block."""
    begun, outcome = time.monotonic(), "failed"
    try:
        with span("gate"):
            yield
        outcome = "passed"
    except Refused:
        outcome = "refused"
        raise
    finally:
        _gates.labels(model, outcome).observe(time.monotonic() - begun)


def read(store: ReleaseStore) -> None:
    """Tell how releases and versions now stand, of all models; until it is read, as before.

    Raises psycopg.Error; then it is not known.
    """
    try:
        releases, versions = store.releases_by_state(), store.versions_by_state()
    except psycopg.Error:
        _standing.forget()
        raise
    for model in {one.model for one in versions}:  # with what has not happened yet, as 0
        for outcome in OUTCOMES:
            _gates.labels(model, outcome)
        for change in CHANGES:
            _changes.labels(model, change)
    _standing.take(
        (
            _gauge("pmesh_releases", "Releases of a model, of all times.", releases),
            _gauge("pmesh_versions", "Versions of a model.", versions),
        )
    )


def _gauge(name: str, text: str, standing: Iterable[StateCount]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=("model", "state"))
    for one in standing:
        gauge.add_metric((one.model, one.state), one.number)
    return gauge
