"""What alerts need of PostgreSQL."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from contract.alert_rules import SEVERITIES, AlertRule, InvalidRule, read_rules
from database import named_sql
from monitoring.alerts.evaluation import HourFigure

log = logging.getLogger(__name__)

_SQL = named_sql.load("monitoring.alerts")

SELF = "monitoring"
"""Who changes alerts where no person does."""
LISTED = 1_000


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """One that is not over."""

    id: str
    rule: str
    version: str
    hour: datetime
    """With which it fired."""


@dataclass(frozen=True, slots=True)
class Event:
    """A step in an alert's life."""

    change: str
    actor: str
    detail: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One as it is shown."""

    id: str
    model: str
    version: str
    rule: str
    terms: Mapping[str, Any]
    """The rule, as it was when it fired."""
    state: str
    hour: datetime
    value: float
    low: float | None
    high: float | None
    rows: int
    reference: str
    fire_time: datetime
    acknowledge_time: datetime | None
    acknowledged_by: str
    resolve_time: datetime | None
    resolved_by: str


class AlertStore:
    """Rules, figures and alerts. All methods raise psycopg.Error.

    What changes an alert raises SerializationFailure where somebody has just changed it as well.
    """

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        """connection: of monitoring.store.connect."""
        self._connection = connection

    def transaction(self) -> Any:
        """What is done in the block is done whole or not at all."""
        return self._connection.transaction()

    def rules(self, model: str | None = None) -> dict[str, list[AlertRule]]:
        """By model; of one, or of all. Left out is a model with one that is of a newer release."""
        found = {}
        for id_, said in self._fetch("rules", model=model):
            try:  # they were checked against the labels when they were registered
                found[id_] = read_rules(said, _labels(said))
            except InvalidRule as error:
                log.warning("the rules of %s cannot be read: %s", id_, error)
        return found

    def hold(self, model: str) -> None:
        """Keep other jobs from the model's alerts until the transaction ends.

        Raises SerializationFailure where one has just committed: begin the transaction anew.
        """
        self._execute("hold", model=model)

    def open(self, model: str) -> dict[tuple[str, str], OpenAlert]:
        """By rule and version."""
        found = [OpenAlert(str(id_), *row) for id_, *row in self._fetch("open", model=model)]
        return {(alert.rule, alert.version): alert for alert in found}

    def dealt_with(self, model: str) -> dict[tuple[str, str], datetime]:
        """By rule and version, up to which hour a person has said that it is dealt with."""
        rows = self._fetch("dealt_with", model=model)
        return {(rule, version): hour for rule, version, hour in rows}

    def figures(
        self, model: str, rule: AlertRule, since: datetime, now: datetime
    ) -> dict[str, list[HourFigure]]:
        """Those that a rule watches, by version, the oldest first. now: the hour under way."""
        found: dict[str, list[HourFigure]] = defaultdict(list)
        given = {"slice": rule.slice, "metric": rule.metric, "from": since, "now": now}
        for version, *row in self._fetch("figures", model=model, **given):
            found[version].append(HourFigure(*row))
        return found

    def fire(self, model: str, version: str, rule: AlertRule, figure: HourFigure) -> bool:
        """Fire an alert; False if one is open."""
        ((id_,),) = self._fetch(
            "fire",
            model=model,
            version=version,
            rule=Jsonb(rule.as_said()),
            hour=figure.hour,
            value=figure.value,
            low=figure.low,
            high=figure.high,
            rows=figure.rows,
            reference=figure.reference,
        )
        return id_ is not None

    def acknowledge(self, alert: str, actor: str) -> str | None:
        """Say that somebody has seen it; the state that it then has, None if there is none."""
        return self._changed("acknowledge", id=alert, actor=actor)

    def resolve(
        self, alert: str, actor: str, detail: str = "", through: datetime | None = None
    ) -> str | None:
        """Say that it is over; as acknowledge. through: up to this hour, none fires another."""
        return self._changed("resolve", id=alert, actor=actor, detail=detail, through=through)

    def newest_hour(self) -> datetime:
        """That is over."""
        ((hour,),) = self._fetch("newest_hour")
        found: datetime = hour
        return found

    def listed(self, model: str | None, *, every: bool) -> list[Alert]:
        """The newest first, at most LISTED. every: those that are over as well."""
        names = Alert.__dataclass_fields__
        rows = self._fetch("list", model=model, all=every, limit=LISTED)
        return [Alert(**dict(zip(names, row, strict=True))) for row in rows]

    def open_by_severity(self) -> list[tuple[str, str, int]]:
        """How many are open of each model and severity, those of none as well."""
        rows = self._fetch("open_by_severity", severities=list(SEVERITIES))
        return [(model, severity, number) for model, severity, number in rows]

    def deliveries_waiting(self) -> int:
        """How many there are to the webhook."""
        ((number,),) = self._fetch("deliveries_waiting")
        return int(number)

    def histories(self, alerts: Iterable[str]) -> dict[str, list[Event]]:
        """Of each, from its beginning."""
        found: dict[str, list[Event]] = defaultdict(list)
        for alert, *row in self._fetch("history", ids=[*alerts]):
            found[alert].append(Event(*row))
        return found

    def _changed(self, query: str, **given: Any) -> str | None:
        ((state,),) = self._fetch(query, **given)
        found: str | None = state
        return found

    def _fetch(self, query: str, **given: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(_SQL[query], given).fetchall()

    def _execute(self, query: str, **given: Any) -> None:
        self._connection.execute(_SQL[query], given)


def _labels(said: list[Mapping[str, Any]]) -> list[str]:
    return [str(rule["metric"]).removeprefix("f1:") for rule in said]
