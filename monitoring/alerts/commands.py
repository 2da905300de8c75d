"""The commands of alerts: what is wrong now, and what people say of it."""

import argparse
import getpass
import json
from dataclasses import asdict
from typing import Any

import psycopg

from monitoring.alerts.changes import acknowledge, resolve
from monitoring.alerts.prometheus_rules import rules_file
from monitoring.alerts.store import Alert, AlertStore, Event
from monitoring.choice import check_model
from monitoring.store import QualityStore, connect


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """To those of the program."""
    listed = commands.add_parser("alerts", help="what is wrong now, as JSON lines")
    listed.add_argument("model", metavar="MODEL", nargs="?")
    listed.add_argument("--all", action="store_true", help="what is over as well")
    listed.set_defaults(run=_list)
    for name, change, about in (
        ("ack", acknowledge, "say that you have seen an alert"),
        ("resolve", resolve, "say that an alert is dealt with"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("alert", metavar="ID")
        command.add_argument("--as", dest="actor", default=None, help="who says so")
        command.set_defaults(run=_change, change=change)
    rules = commands.add_parser("rules", help="the rules of all models, for Prometheus")
    rules.set_defaults(run=_rules)


def as_json(alert: Alert, history: list[Event]) -> str:
    """An object with its life."""
    found: dict[str, Any] = asdict(alert) | {"history": [asdict(event) for event in history]}
    return json.dumps(found, default=lambda time: time.isoformat(), ensure_ascii=False)


def listed(
    connection: "psycopg.Connection[Any]", model: str | None, *, every: bool
) -> list[tuple[Alert, list[Event]]]:
    """The alerts of a model or (None) of all, the newest first, each with its life.

    every: those that are over as well. Raises CannotChoose for no such model, psycopg.Error.
    """
    if model is not None:
        check_model(QualityStore(connection), model)
    store = AlertStore(connection)
    alerts = store.listed(model, every=every)
    histories = store.histories(alert.id for alert in alerts)
    return [(alert, histories[alert.id]) for alert in alerts]


def _list(arguments: argparse.Namespace) -> None:
    with connect() as connection:
        alerts = listed(connection, arguments.model, every=arguments.all)
    for alert, history in alerts:
        print(as_json(alert, history))


def _change(arguments: argparse.Namespace) -> None:
    with connect() as connection:
        actor = getpass.getuser() if arguments.actor is None else arguments.actor
        arguments.change(AlertStore(connection), arguments.alert, actor)


def _rules(_: argparse.Namespace) -> None:
    with connect() as connection:
        print(rules_file(AlertStore(connection).rules()), end="")
