"""What a version is compared with where nobody chose: its held-out data, or its first answers."""

import logging
from collections import Counter

from monitoring.drift import Profile
from monitoring.held_out import RegistryAway, held_out
from monitoring.references import Reference, Vocabulary
from monitoring.store import HOUR, QualityStore, Start, Window

log = logging.getLogger(__name__)

FIRST_ROWS = 1_000
"""So many make a reference: whole hours from a version's first one on."""


class Defaults:
    """Finds the references that versions lack, once for each."""

    def __init__(self, tracking_uri: str) -> None:
        """tracking_uri: of the registry; "" if there is none, and all have first answers only."""
        self._tracking_uri = tracking_uri

    def find(self, store: QualityStore, model: str, start: Start) -> bool:
        """Whether any was found; its hours are then to be made anew. Raises psycopg.Error."""
        found = [
            self._find(store, model, version, start) for version in store.without_reference(model)
        ]
        return any(found)

    def _find(self, store: QualityStore, model: str, version: str, start: Start) -> bool:
        try:
            reference = self._held_out(store, model, version)
        except RegistryAway as error:  # it may have them: the first answers are for those without
            log.warning("%s@%s has no reference yet: %s", model, version, error)
            return False
        if reference is None:
            reference = _first_answers(store, model, version, start)
        if reference is not None:
            store.set_reference(model, version, reference)
        return reference is not None

    def _held_out(self, store: QualityStore, model: str, version: str) -> Reference | None:
        if not self._tracking_uri:
            return None
        found = held_out(self._tracking_uri, model, version)
        if found is None:
            return None
        lengths = Counter(store.lengths_of(found.texts))
        return Reference(
            name=f"held-out data of version {version}",
            rows=sum(found.labels.values()),
            # Its files do not say which answer is of which text, so that slices cannot be told.
            profiles={"": Profile(found.labels, found.confidences, lengths)},
            vocabulary=Vocabulary.of(store.places_of(found.texts)),
        )


def _first_answers(store: QualityStore, model: str, version: str, start: Start) -> Reference | None:
    """Of the whole hours in which a version got its first requests; None while they are few."""
    volumes = store.volumes(model, version, start)
    rows = 0
    for hour, volume in volumes:
        rows += volume
        if rows >= FIRST_ROWS:
            window = Window(volumes[0][0], hour + HOUR)
            return of_window(store, model, version, window)
    return None


def of_window(store: QualityStore, model: str, version: str | None, window: Window) -> Reference:
    """The reference that a window's rows make, of one version or of all. Raises psycopg.Error."""
    who = f"first answers of version {version}" if version else "answers"
    counts = store.counts(model, version, window)
    return Reference.of(f"{who}, {window}", counts, store.places(model, version, window))
