"""Holds the rules of a model against its figures, after its hours have been made.

Each evaluation goes through the last days anew, in one transaction: so it may be repeated, be
killed or run beside another one, and an hour that was made again changes an alert rightly.
"""

import logging
from datetime import datetime, timedelta

from contract.alert_rules import AlertRule
from contract.logs import about
from monitoring.alerts.evaluation import HourFigure, standing
from monitoring.alerts.store import SELF, AlertStore, OpenAlert
from monitoring.transactions import begun_anew

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=7)
"""More than labels are late and rules wait for."""


@begun_anew
def evaluate(store: AlertStore, model: str, now: datetime) -> None:
    """Fire and resolve what is due. now: the hour under way; it is not looked at.

    Raises psycopg.Error.
    """
    with store.transaction():
        store.hold(model)
        _evaluate(store, model, now)


def _evaluate(store: AlertStore, model: str, now: datetime) -> None:
    if (rules := store.rules(model).get(model)) is None:
        return
    alerts, dealt_with = store.open(model), store.dealt_with(model)
    for rule in rules:
        figures = store.figures(model, rule, _since(rule, now), now)
        with_alerts = {version for name, version in alerts if name == rule.name}
        for version in sorted(figures.keys() | with_alerts):
            key = (rule.name, version)
            hours = _after(dealt_with.get(key), figures.get(version, []))
            with about(version=version):
                _apply(store, model, version, rule, hours, alerts.get(key), now)
    names = {rule.name for rule in rules}
    for alert in alerts.values():
        if alert.rule not in names:
            store.resolve(alert.id, SELF, "its rule is there no more")


def _since(rule: AlertRule, now: datetime) -> datetime:
    """So that of an alert that fired in the last days all hours are seen."""
    return now - LOOK_BACK - timedelta(hours=rule.hours)


def _after(hour: datetime | None, figures: list[HourFigure]) -> list[HourFigure]:
    return [figure for figure in figures if hour is None or figure.hour > hour]


def _apply(
    store: AlertStore,
    model: str,
    version: str,
    rule: AlertRule,
    hours: list[HourFigure],
    alert: OpenAlert | None,
    now: datetime,
) -> None:
    """Make what is stored what the hours say."""
    if alert is None:
        fired = standing(rule, hours).fired
        if fired and store.fire(model, version, rule, fired):
            log.info("%s@%s: %s fired", model, version, rule.name)
        return
    if alert.hour >= now:  # the clock went back: it will come to that hour
        return
    if alert.hour < now - LOOK_BACK:
        stands = standing(rule, _after(alert.hour, hours), holds=True)
    else:
        stands = standing(rule, hours)
    if not stands.holds:
        detail = "as its hours and the rule now are, it would not have fired"
        if stands.cleared:
            detail = f"good in the hour of {stands.cleared:%Y-%m-%dT%H:%MZ}"
        store.resolve(alert.id, SELF, detail)
        log.info("%s@%s: %s resolved", model, version, rule.name)
