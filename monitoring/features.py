"""The features of an hour's answers: how many lack them, and how far they are from the first ones'.

A sample of them is read from S3, before the transaction that makes the hour, and not again while
the hour has the same requests. Features of two
versions have nothing to do with each other, and training keeps none, so that a version is compared
with its own first answers. While S3 is away the hour is made without, and is due again.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from bus.aws import open_threads
from features.errors import FeaturesUnavailable
from features.reading import FeatureReader, Row
from monitoring import drift
from monitoring.counts import Histogram
from monitoring.defaults import first_window
from monitoring.feature_figures import FeatureReference
from monitoring.figures import Figure
from monitoring.hours import Start, Window
from monitoring.intervals import wilson
from monitoring.partition import CELLS, Partition
from monitoring.store import QualityStore

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

log = logging.getLogger(__name__)

SAMPLE = 2_000
"""Answers of a version and window that are looked at."""
MAX_OBJECTS = 500
"""That are read of them."""
COME_LATE = timedelta(days=1)
"""So long rows that are not there may be on their way: they count neither way, and the hour is due
again."""


@dataclass(frozen=True, slots=True)
class HourFeatures:
    """What became of an hour's features."""

    figures: Mapping[str, list[Figure]] = field(default_factory=dict)
    """By version."""
    is_due: bool = False
    """Whether the hour is to be made again."""
    has_reference: bool = False
    """Whether a reference was made, for which a version's other hours are to be made anew."""


@contextmanager
def open_features(client: "S3Client", bucket: str) -> "Iterator[Features]":
    """What makes the figures of features for a run, with threads that end with the block."""
    with open_threads() as executor:
        yield Features(FeatureReader(client=client, bucket=bucket, executor=executor))


class Features:
    """Makes the figures of features; one for each run, as it asks S3 no more once it is away."""

    def __init__(self, reader: FeatureReader) -> None:
        self._reader = reader
        self._is_away = False

    def of_hour(
        self, store: QualityStore, model: str, window: Window, start: Start
    ) -> HourFeatures:
        """Those of all versions in an hour. Raises psycopg.Error."""
        figures: dict[str, list[Figure]] = {}
        is_due = has_reference = False
        is_young = window.start > start.hour - COME_LATE
        kept = store.kept_features(model, window.start)
        for size in store.sizes(model, window):
            reference = store.feature_reference(model, size.version)
            uris = _sample(store, model, size.version, window)
            before = kept.get(size.version)
            if before and before.is_of(size, reference, len(uris)):
                figures[size.version] = before.figures
                continue
            try:
                rows = self._read(uris)
                if reference is None and any(uris):
                    reference = self._find(store, model, size.version, start)
                    has_reference |= reference is not None
            except FeaturesUnavailable as error:
                self._away(error)
                is_due = True
                continue
            if is_young and (late := {uri for uri in uris if uri and rows[uri] is None}):
                is_due = True
                uris = [uri for uri in uris if uri not in late]
            figures[size.version] = _figures([rows.get(uri) for uri in uris], reference)
        return HourFeatures(figures, is_due, has_reference)

    def _find(
        self, store: QualityStore, model: str, version: str, start: Start
    ) -> FeatureReference | None:
        """Make the reference of a version, if it had enough answers with features."""
        window = first_window(store, model, version, start)
        if window is None:
            return None
        found = list(self._read(_sample(store, model, version, window)).values())
        good = _good(found, _common_width(found))
        if len(good) < max(drift.LEAST_ROWS, 2 * CELLS):
            return None
        rows = np.stack(good)
        partition = Partition.of(rows)
        counts = partition.count(rows)
        reference = FeatureReference(
            f"features of the first answers of version {version}, {window}",
            partition.dimension,
            partition.cuts,
            tuple(counts[str(cell)] for cell in range(len(partition.cuts) + 1)),
        )
        store.set_feature_reference(model, version, reference)
        return reference

    def _read(self, uris: Sequence[str]) -> dict[str, Row | None]:
        given = [uri for uri in uris if uri]
        if self._is_away and given:
            raise FeaturesUnavailable("it was away a moment ago")
        return self._reader.read(given)

    def _away(self, error: FeaturesUnavailable) -> None:
        if not self._is_away:
            log.warning("features are not read, S3 is away: %s", error)
        self._is_away = True


def _sample(store: QualityStore, model: str, version: str, window: Window) -> list[str]:
    """Where the features of answers lie, "" for none; in not too many objects."""
    found: list[str] = []
    objects: set[str] = set()
    for uri in store.feature_uris(model, version, window, SAMPLE):
        place = uri.partition("#")[0]
        if not place or place in objects or len(objects) < MAX_OBJECTS:
            objects |= {place} - {""}
            found.append(uri)
    return found


def _figures(rows: "Sequence[Row | None]", reference: FeatureReference | None) -> list[Figure]:
    """None for answers that have no features and never had."""
    good = _good(rows, reference.dimension if reference else _common_width(rows))
    if not rows or not (good or reference):
        return []
    missing = (len(rows) - len(good)) / len(rows)
    found = [Figure("features_missing_share", missing, len(rows), wilson(missing, len(rows)))]
    if reference and good:
        current = Partition(reference.dimension, reference.cuts).count(np.stack(good))
        value, interval = drift.distance(_histogram(reference), current)
        found.append(Figure("features_drift", value, len(good), interval).against(reference.name))
    return found


def _good(rows: "Sequence[Row | None]", width: int) -> "list[Row]":
    """Those that can be compared."""
    given = (row for row in rows if row is not None)
    return [row for row in given if len(row) == width and np.isfinite(row).all()]


def _histogram(reference: FeatureReference) -> Histogram:
    return Counter({str(cell): rows for cell, rows in enumerate(reference.counts) if rows})


def _common_width(rows: "Sequence[Row | None]") -> int:
    """That of the most rows."""
    widths = Counter(len(row) for row in rows if row is not None)
    return widths.most_common(1)[0][0] if widths else 0
