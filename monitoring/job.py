"""The hourly job: makes every hour that is due, each from its rows, whole and in one transaction.

An hour is computed from scratch and replaces what was there, so that a job that was killed, was
started twice or runs beside another one counts nothing twice.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from contract.logs import about
from monitoring.alerts.job import evaluate
from monitoring.alerts.store import AlertStore
from monitoring.assembly import figures
from monitoring.defaults import Defaults
from monitoring.features import Features, HourFeatures
from monitoring.figures import Figure
from monitoring.hours import HOUR, Size, Start, Window
from monitoring.references import Reference
from monitoring.store import QualityStore
from monitoring.transactions import begun_anew
from telemetry.spans import span


@dataclass(frozen=True, slots=True)
class Made:
    """What a run has done for a model."""

    model: str
    hours: int
    figures: int


@dataclass(frozen=True, slots=True)
class Step:
    """An hour that a run has come to."""

    model: str
    done: int
    of: int


def run(
    store: QualityStore,
    defaults: Defaults,
    *,
    features: Features | None = None,
    models: list[str] | None = None,
    tell: Callable[[Step], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Made]:
    """Make what is due of these models, or of all, and fire and resolve their alerts.

    Raises psycopg.Error.

    features: None where there is no S3 to read them from. tell: called after each hour. stop: asked
    before each; what is left then is due still.
    """
    start = store.begin()
    made = []
    with span("run"):
        for model in store.models() if models is None else models:
            of_model = {"pmesh.model": model}
            with about(model=model):
                with span("make hours", attributes=of_model):
                    made.append(_run_model(store, defaults, features, model, start, tell, stop))
                if not stop():
                    with span("evaluate alerts", attributes=of_model):
                        evaluate(AlertStore(store.connection), model, start.hour)
    return made


def _run_model(
    store: QualityStore,
    defaults: Defaults,
    features: Features | None,
    model: str,
    start: Start,
    tell: Callable[[Step], None],
    stop: Callable[[], bool],
) -> Made:
    hours = made = 0
    has_found = True
    while has_found:
        has_found = False
        due = store.due(model, start)
        for done, hour in enumerate(due, start=1):
            if stop():
                return Made(model, hours, made)
            outcome = make_hour(store, model, hour, start, features)
            has_found |= outcome.has_feature_reference
            hours, made = hours + 1, made + outcome.figures
            for version in outcome.without_reference:
                has_found |= defaults.find(store, model, version, start)
            tell(Step(model, done, len(due)))
    return Made(model, hours, made)


@dataclass(frozen=True, slots=True)
class MadeHour:
    """What became of an hour."""

    figures: int
    without_reference: tuple[str, ...] = ()
    """Versions that were compared with nothing."""
    has_feature_reference: bool = False
    """Whether one was made, so that more hours are due."""


def make_hour(
    store: QualityStore, model: str, hour: datetime, start: Start, features: Features | None = None
) -> MadeHour:
    """Make one hour, unless another job has meanwhile, or it has lost rows since it was made."""
    window = Window(hour, hour + HOUR)
    of_features = HourFeatures()
    if features:
        of_features = features.of_hour(store, model, window, start)
    return _make_hour(store, model, window, start, of_features)


@begun_anew
def _make_hour(
    store: QualityStore, model: str, window: Window, start: Start, of_features: HourFeatures
) -> MadeHour:
    hour = window.start
    with store.transaction():
        store.hold(model, hour)
        if not store.take(model, hour, start):
            return MadeHour(figures=0)
        sizes = store.sizes(model, window)
        if store.keep_hour(model, hour, sizes):
            return MadeHour(figures=0)
        references = store.references(model) if sizes else {}
        found = _figures(store, model, window, sizes, references, of_features.figures)
        written = store.write_hour(model, hour, found, sizes)
        if of_features.is_due:
            store.mark(model, hour)
    lacking = [size.version for size in sizes if not {"", size.version} & references.keys()]
    return MadeHour(written, tuple(lacking), of_features.has_reference)


def _figures(
    store: QualityStore,
    model: str,
    window: Window,
    sizes: list[Size],
    references: Mapping[str, Reference],
    of_features: Mapping[str, list[Figure]],
) -> Iterator[tuple[str, str, Figure]]:
    for size in sizes:
        reference = references.get("") or references.get(size.version)
        vocabulary = reference.vocabulary if reference else None
        counts = store.counts(model, size.version, window, vocabulary)
        for slice_, figure in figures(counts, reference):
            yield size.version, slice_, figure
        for figure in of_features.get(size.version, ()):
            yield size.version, "", figure
