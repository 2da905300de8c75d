"""What a person says of an alert."""

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from psycopg.errors import SerializationFailure

from monitoring.alerts.store import AlertStore

_MOST_ACTOR = 200


class CannotChange(ValueError):
    """The alert cannot become that. The message says why."""


def acknowledge(store: AlertStore, alert: str, actor: str) -> None:
    """Say that somebody has seen it. Raises CannotChange, psycopg.Error."""
    _check(alert, actor)
    match _at_last(lambda: store.acknowledge(alert, actor)):
        case None:
            raise CannotChange(f"there is no alert {alert}")
        case "RESOLVED":
            raise CannotChange(f"alert {alert} is over")


def resolve(store: AlertStore, alert: str, actor: str) -> None:
    """Say that it is dealt with: the hours up to now fire no other. Raises as acknowledge."""
    _check(alert, actor)
    through = store.newest_hour()
    if _at_last(lambda: store.resolve(alert, actor, through=through)) is None:
        raise CannotChange(f"there is no alert {alert}")


def _at_last(change: Callable[[], str | None]) -> str | None:
    while True:
        with suppress(SerializationFailure):  # the job, or somebody else, was a little faster
            return change()


def _check(alert: str, actor: str) -> None:
    try:
        UUID(alert)
    except ValueError:
        raise CannotChange(f"{alert!r} is no id of an alert") from None
    if not actor or len(actor) > _MOST_ACTOR or not actor.isprintable():
        raise CannotChange(f"whoever says so has a name, of at most {_MOST_ACTOR} characters")
