"""What a version is compared with where nobody chose: its held-out data, or its first answers."""

from monitoring.references import Reference
from monitoring.store import HOUR, QualityStore, Start, Window

FIRST_ROWS = 1_000
"""So many make a reference: whole hours from a version's first one on."""


class Defaults:
    """Finds the references that versions lack."""

    def find(self, store: QualityStore, model: str, start: Start) -> bool:
        """Whether any was found; its hours are then to be made anew. Raises psycopg.Error."""
        found = [
            self._find(store, model, version, start) for version in store.without_reference(model)
        ]
        return any(found)

    def _find(self, store: QualityStore, model: str, version: str, start: Start) -> bool:
        window = _first_hours(store, model, version, start)
        if window is None:
            return False
        store.set_reference(model, version, of_window(store, model, version, window))
        return True


def of_window(
    store: QualityStore, model: str, version: str | None, window: Window
) -> Reference:
    """The reference that a window's rows make, of one version or of all."""
    who = f"version {version}'s first answers" if version else "answers"
    counts = store.counts(model, version, window)
    return Reference.of(f"{who}, {window}", counts, store.places(model, version, window))


def _first_hours(
    store: QualityStore, model: str, version: str, start: Start
) -> Window | None:
    """The whole hours in which a version got its first requests; None while they are too few."""
    volumes = store.volumes(model, version, start)
    rows = 0
    for hour, volume in volumes:
        rows += volume
        if rows >= FIRST_ROWS:
            return Window(volumes[0][0], hour + HOUR)
    return None
