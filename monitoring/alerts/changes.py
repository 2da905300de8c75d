"""What a person says of an alert."""

from uuid import UUID

from monitoring.alerts.store import AlertStore
from monitoring.transactions import begun_anew

_MOST_ACTOR = 200


class CannotChange(ValueError):
    """The alert cannot become that. The message says why."""


@begun_anew
def acknowledge(store: AlertStore, alert: str, actor: str) -> None:
    """Say that somebody has seen it. Raises CannotChange, psycopg.Error."""
    _check(alert, actor)
    match store.acknowledge(alert, actor):
        case None:
            raise CannotChange(f"there is no alert {alert}")
        case "RESOLVED":
            raise CannotChange(f"alert {alert} is over")


@begun_anew
def resolve(store: AlertStore, alert: str, actor: str) -> None:
    """Say that it is dealt with: the hours up to now fire no other. Raises as acknowledge."""
    _check(alert, actor)
    if store.resolve(alert, actor, through=store.newest_hour()) is None:
        raise CannotChange(f"there is no alert {alert}")


def _check(alert: str, actor: str) -> None:
    try:
        UUID(alert)
    except ValueError:
        raise CannotChange(f"{alert!r} is no id of an alert") from None
    if not actor or len(actor) > _MOST_ACTOR or not actor.isprintable():
        raise CannotChange(f"whoever says so has a name, of at most {_MOST_ACTOR} characters")
