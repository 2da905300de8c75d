"""What a version is compared with where nobody chose: its held-out data, or its first answers."""

import logging
from collections import Counter

from monitoring.drift import Profile
from monitoring.held_out import HeldOut, RegistryAway, held_out
from monitoring.hours import HOUR, Start, Window
from monitoring.references import Reference, Vocabulary
from monitoring.store import QualityStore

log = logging.getLogger(__name__)

FIRST_ROWS = 1_000
"""So many make a reference: whole hours from a version's first one on."""


class Defaults:
    """Finds the references that versions lack; one for each run, as it asks the registry once."""

    def __init__(self, tracking_uri: str) -> None:
        """tracking_uri: of the registry; "" if there is none, and all have first answers only."""
        self._tracking_uri = tracking_uri
        self._held_out: dict[tuple[str, str], HeldOut | RegistryAway | None] = {}

    def find(self, store: QualityStore, model: str, version: str, start: Start) -> bool:
        """Whether one was found; the version's hours are then to be made anew.

        Raises psycopg.Error.
        """
        match self._ask(model, version):
            case RegistryAway():  # it may have them: the first answers are for those without
                return False
            case HeldOut() as found:
                reference = _of_held_out(store, version, found)
            case None:
                answers = _first_answers(store, model, version, start)
                if answers is None:
                    return False
                reference = answers
        store.set_reference(model, version, reference)
        return True

    def _ask(self, model: str, version: str) -> HeldOut | RegistryAway | None:
        if not self._tracking_uri:
            return None
        key = (model, version)
        if key not in self._held_out:
            try:
                self._held_out[key] = held_out(self._tracking_uri, model, version)
            except RegistryAway as error:
                log.warning("%s@%s has no reference yet: %s", model, version, error)
                self._held_out[key] = error
        return self._held_out[key]


def _of_held_out(store: QualityStore, version: str, found: HeldOut) -> Reference:
    lengths = Counter(store.lengths_of(found.texts))
    lengths += Counter(store.lengths_of_labelled(found.predictions))
    places = Counter(dict(store.places_of(found.texts)))
    places += Counter(store.places_of_labelled(found.predictions))
    return Reference(
        name=f"held-out data of version {version}",
        rows=sum(found.labels.values()),
        # Its files do not say which answer is of which text, so that slices cannot be told.
        profiles={"": Profile(found.labels, found.confidences, lengths)},
        vocabulary=Vocabulary.of(places.items()),
    )


def _first_answers(store: QualityStore, model: str, version: str, start: Start) -> Reference | None:
    """None while they are few, and where they are deleted."""
    window = first_window(store, model, version, start)
    found = of_window(store, model, version, window) if window else None
    return found if found and found.rows else None


def first_window(store: QualityStore, model: str, version: str, start: Start) -> Window | None:
    """The whole hours in which a version got its first requests; None while they are few.

    Raises psycopg.Error.
    """
    volumes = store.volumes(model, version, start)
    rows = 0
    for hour, volume in volumes:
        rows += volume
        if rows >= FIRST_ROWS:
            return Window(volumes[0][0], hour + HOUR)
    return None


def of_window(store: QualityStore, model: str, version: str | None, window: Window) -> Reference:
    """The reference that a window's rows make, of one version or of all. Raises psycopg.Error."""
    who = f"first answers of version {version}" if version else "answers"
    counts = store.counts(model, version, window)
    return Reference.of(f"{who}, {window}", counts, store.places(model, version, window))
