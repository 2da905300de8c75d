"""What the job reads and writes in PostgreSQL."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import IsolationLevel
from psycopg.types.json import Json

from database import connections, named_sql
from monitoring.counts import Counts, by_slice
from monitoring.feature_figures import FeatureReference, KeptFeatures
from monitoring.figures import Figure, Interval
from monitoring.hours import Size, Start, Window, day_window
from monitoring.references import (
    Reference,
    Vocabulary,
    profiles_from_json,
    profiles_to_json,
)
from monitoring.transactions import begun_anew

_SQL = named_sql.load("monitoring")

SETTLE = timedelta(hours=3)
"""Hours that are made again each time, since a clock may be behind and a commit late by so much."""
TAG_SLICES = 50
"""Of an hour; the most frequent ones."""


class Sampled(NamedTuple):
    """An answer, with the bins of its confidence and of its text's length."""

    label: str
    confidence: str
    length: str
    truth: str | None


@dataclass(frozen=True, slots=True)
class Latest:
    """A figure of a model's newest hour."""

    model: str
    version: str
    slice: str
    metric: str
    value: float
    low: float | None
    high: float | None
    rows: int
    hour: datetime


def connect(conninfo: str = "") -> "psycopg.Connection[Any]":
    """A connection whose transactions each see one state of the record. Raises psycopg.Error."""
    connection = connections.connect(conninfo)
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    return connection


class QualityStore:
    """Hours, figures and references. All methods raise psycopg.Error."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        """connection: of `connect`."""
        self._connection = connection

    @property
    def connection(self) -> "psycopg.Connection[Any]":
        """For what else is done after a run."""
        return self._connection

    def transaction(self) -> Any:
        """What is done in the block is done whole or not at all."""
        return self._connection.transaction()

    def models(self) -> list[str]:
        """The ids of all models, unlisted ones included."""
        return [model for (model,) in self._fetch("models")]

    def begin(self) -> Start:
        """What counts as now for a run."""
        return Start(*self._fetch("begin")[0])

    def due(self, model: str, start: Start) -> list[datetime]:
        """The hours that are to be made, the oldest first; forgets that others have changed."""
        self._execute("drop_marks", model=model, now=start.hour)
        given = {"first": self._first(model), "now": start.hour, "begun": start.begun}
        return [hour for (hour,) in self._fetch("due", model=model, **given)]

    def _first(self, model: str) -> datetime | None:
        """From which hour on all are due; None where there was no request yet."""
        ((through,),) = self._fetch("progress", model=model)
        if through is not None:
            settled: datetime = through - SETTLE
            return settled
        first = self._fetch("first_hour", model=model)
        return first[0][0] if first else None

    def hold(self, model: str, hour: datetime) -> None:
        """Keep other jobs from the model until the transaction ends, which makes this hour.

        Raises SerializationFailure where one has just committed: begin the transaction anew.
        """
        self._execute("hold", model=model, hour=hour)

    def take(self, model: str, hour: datetime, start: Start) -> bool:
        """Whether an hour is still to be made; takes the marks away that say so."""
        marked = self._execute("take_marks", model=model, hour=hour) > 0
        return marked or not self._execute("made_since", model=model, hour=hour, begun=start.begun)

    def sizes(self, model: str, window: Window) -> list[Size]:
        """Of each version that was asked."""
        return [Size(*row) for row in self._fetch("sizes", **_given(model, window))]

    def counts(
        self, model: str, version: str | None, window: Window, vocabulary: Vocabulary | None = None
    ) -> dict[str, Counts]:
        """By slice, of one version or of all. vocabulary: against which words are judged."""
        known = vocabulary.bits if vocabulary else None
        given = _given(model, window) | {"version": version, "known": known}
        return by_slice(self._fetch("counts", **given, tag_slices=TAG_SLICES))

    def places(self, model: str, version: str | None, window: Window) -> list[tuple[int, int]]:
        """The places of the words of a window, each with how many words are at it."""
        given = _given(model, window) | {"version": version}
        return [(place, words) for place, words in self._fetch("places", **given)]

    def sample(self, model: str, version: str, window: Window, limit: int) -> list[Sampled]:
        """Answers by chance, at most so many, the same each time."""
        given = _given(model, window) | {"version": version, "limit": limit}
        return [Sampled(*row) for row in self._fetch("sample", **given)]

    def feature_uris(self, model: str, version: str, window: Window, limit: int) -> list[str]:
        """Where the features of a sample of answers lie; "" for one that has none."""
        given = _given(model, window) | {"version": version, "limit": limit}
        return [uri for (uri,) in self._fetch("feature_uris", **given)]

    def kept_features(self, model: str, hour: datetime) -> dict[str, KeptFeatures]:
        """By version."""
        found: dict[str, KeptFeatures] = {}
        for version, volume, unfinished, *row in self._fetch(
            "kept_features", model=model, hour=hour
        ):
            metric, value, low, high, rows, reference = row
            interval = Interval(low, high) if low is not None else None
            kept = found.setdefault(version, KeptFeatures(volume, unfinished, []))
            kept.figures.append(Figure(metric, value, rows, interval, reference))
        return found

    def feature_reference(self, model: str, version: str) -> FeatureReference | None:
        """What the features of a version are compared with, if anything."""
        found = self._fetch("feature_reference", model=model, version=version)
        return FeatureReference(*found[0][:2], *map(tuple, found[0][2:])) if found else None

    @begun_anew
    def set_feature_reference(self, model: str, version: str, reference: FeatureReference) -> None:
        """Compare the features of a version with this, those of hours that were made too."""
        with self.transaction():
            self._execute(
                "write_feature_reference",
                model=model,
                version=version,
                name=reference.name,
                dimension=reference.dimension,
                cuts=list(reference.cuts),
                counts=list(reference.counts),
            )
            self._execute("mark_version", model=model, version=version)

    def mark(self, model: str, hour: datetime) -> None:
        """Have an hour made again by the next run."""
        self._execute("mark_hour", model=model, hour=hour)

    def days(self, model: str, first: date) -> list[tuple[date, datetime]]:
        """The days in which a model was asked, the newest first; when last an hour was made."""
        rows = self._fetch("days", model=model, first=day_window(first).start)
        return [(day, made) for day, made in rows]

    def lengths_of(self, texts: Sequence[str]) -> dict[str, int]:
        """Bin of length -> how many of these texts are in it."""
        return dict(self._fetch("lengths_of", texts=list(texts)))

    def places_of(self, texts: Sequence[str]) -> list[tuple[int, int]]:
        """The places of the words of these texts, each with how many words are at it."""
        return [(place, words) for place, words in self._fetch("places_of", texts=list(texts))]

    def lengths_of_labelled(self, predictions: Sequence[str]) -> dict[str, int]:
        """Bin of length -> how many texts of these labelled predictions are in it."""
        return dict(self._fetch("lengths_of_labelled", ids=list(predictions)))

    def places_of_labelled(self, predictions: Sequence[str]) -> dict[int, int]:
        """Place of a word -> how many words of these predictions' texts are at it."""
        return dict(self._fetch("places_of_labelled", ids=list(predictions)))

    def keep_hour(self, model: str, hour: datetime, sizes: Iterable[Size]) -> bool:
        """Whether an hour is left as it is: it was made of requests that are deleted since."""
        return self._execute("keep_hour", model=model, hour=hour, **_totals(sizes)) > 0

    def write_hour(
        self,
        model: str,
        hour: datetime,
        figures: Iterable[tuple[str, str, Figure]],
        sizes: Iterable[Size],
    ) -> int:
        """Replace the figures of an hour; how many there are. figures: (version, slice, figure)."""
        rows = [_row(*figure) for figure in figures]
        self._execute("forget_hour", model=model, hour=hour)
        self._execute("write_figures", model=model, hour=hour, figures=json.dumps(rows))
        self._execute("note_hour", model=model, hour=hour, **_totals(sizes))
        return len(rows)

    def references(self, model: str) -> dict[str, Reference]:
        """By version; that of "" is chosen, and holds for all."""
        found = {}
        for version, name, rows, profiles, bits, unknown in self._fetch("references", model=model):
            vocabulary = Vocabulary(bits, unknown) if bits is not None else None
            found[version] = Reference(name, rows, profiles_from_json(profiles), vocabulary)
        return found

    def volumes(self, model: str, version: str, start: Start) -> list[tuple[datetime, int]]:
        """How much a version was asked in each of its hours that are over, the oldest first."""
        rows = self._fetch("volumes", model=model, version=version, now=start.hour)
        return [(hour, volume) for hour, volume in rows]

    @begun_anew
    def set_reference(self, model: str, version: str, reference: Reference) -> None:
        """Compare the hours of a model (version "") or of a version with this, those made too."""
        vocabulary = reference.vocabulary
        with self.transaction():
            self._execute(
                "write_reference",
                model=model,
                version=version,
                name=reference.name,
                rows=reference.rows,
                profiles=Json(profiles_to_json(reference.profiles)),
                vocabulary=vocabulary.bits if vocabulary else None,
                unknown_words=vocabulary.unknown_words if vocabulary else None,
            )
            self._execute(
                "mark_version" if version else "mark_all", model=model, **_version(version)
            )

    @begun_anew
    def forget_reference(self, model: str) -> None:
        """Give a model its versions' defaults back."""
        with self.transaction():
            self._execute("forget_reference", model=model)
            self._execute("mark_all", model=model)

    def latest(self, limit: int, watched: Sequence[tuple[str, str]] | None = None) -> list[Latest]:
        """The figures of each model's newest hour with requests that is over, of the last day.

        At most so many; those of all rows come first. watched: a model and a slice of it; slices by
        tags are left out but for these. None: none is left out.
        """
        models = slices = None
        if watched is not None:
            models, slices = [model for model, _ in watched], [slice_ for _, slice_ in watched]
        found = self._fetch(
            "latest", now=self.begin().hour, limit=limit, models=models, slices=slices
        )
        return [Latest(*row) for row in found]

    def _fetch(self, query: str, **given: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(_SQL[query], given).fetchall()

    def _execute(self, query: str, **given: Any) -> int:
        return self._connection.execute(_SQL[query], given).rowcount


def _given(model: str, window: Window) -> dict[str, Any]:
    return {"model": model, "from": window.start, "to": window.end}


def _totals(sizes: Iterable[Size]) -> dict[str, int]:
    found = list(sizes)
    return {
        "rows": sum(size.rows for size in found),
        "unfinished": sum(size.unfinished for size in found),
    }


def _version(version: str) -> Mapping[str, str]:
    return {"version": version} if version else {}


def _row(version: str, slice_: str, figure: Figure) -> dict[str, Any]:
    low, high = figure.interval or (None, None)
    return {
        "version": version,
        "slice": slice_,
        "metric": figure.metric,
        "value": figure.value,
        "low": low,
        "high": high,
        "rows": figure.rows,
        "reference": figure.reference,
    }
