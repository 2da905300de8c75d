"""The reference that somebody chooses for a model."""

from datetime import datetime

from monitoring.defaults import of_window
from monitoring.hours import Window
from monitoring.references import Reference
from monitoring.store import QualityStore


class CannotChoose(ValueError):
    """What was chosen is no reference; the message says why."""


def read_window(start: datetime | None, end: datetime | None, *, default: bool) -> Window | None:
    """What a command line asks for: a window, or None. default: it asks for no chosen reference.

    Raises CannotChoose for half a window, or for both.
    """
    if default and (start or end):
        raise CannotChoose("--default has no window: leave out --from and --to")
    if start and end:
        return Window(start, end)
    if start or end:
        raise CannotChoose("a window has both --from and --to")
    return None


def choose(store: QualityStore, model: str, window: Window) -> Reference:
    """Compare all hours of a model with what was asked in a window; those made are made anew.

    Raises CannotChoose, psycopg.Error.
    """
    check_model(store, model)
    if window.start >= window.end:
        raise CannotChoose(f"{window} is no window: it ends before it begins")
    reference = of_window(store, model, None, window)
    if not reference.rows:
        raise CannotChoose(f"{model} has no answers of {window}")
    store.set_reference(model, "", reference)
    return reference


def check_model(store: QualityStore, model: str) -> None:
    """Raises CannotChoose if there is no such model."""
    known = store.models()
    if model not in known:
        raise CannotChoose(f"there is no model {model!r}; one of: {', '.join(known)}")
