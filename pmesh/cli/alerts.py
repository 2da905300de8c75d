"""`pmesh alerts`: what is wrong with models, and who sees to it."""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from pmesh.cli.options import HOME, HomeOption, JsonOption, fail, for_home, messages, print_table
from pmesh.cli.running import running_stack

if TYPE_CHECKING:
    import psycopg

    from monitoring.alerts.store import Alert, AlertStore, Event

_STATES = {"FIRING": "red", "ACKNOWLEDGED": "yellow", "RESOLVED": "green"}
_SEVERITIES = {"critical": "bold red", "warning": "yellow", "info": "dim"}

AlertArgument = Annotated[str, typer.Argument(metavar="ID", help="As pmesh alerts shows it.")]
ActorOption = Annotated[str, typer.Option("--as", help="Who says so; default: your login.")]


class ListGroup(TyperGroup):
    """Lists, where no command is named: `pmesh alerts`, `pmesh alerts sentiment`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def list_alerts(
    model: Annotated[str | None, typer.Argument(metavar="MODEL")] = None,
    every: Annotated[bool, typer.Option("--all", help="What is over as well.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = HOME,
) -> None:
    """Show what is wrong now: the rules of alerts.yaml that hold, and for which version.

    [bold]pmesh alerts sentiment --all[/]
    """
    from monitoring.alerts import commands
    from monitoring.choice import CannotChoose

    with _connection(home) as connection:
        try:
            alerts = commands.listed(connection, model, every=every)
        except CannotChoose as error:
            fail(str(error))
    if as_json:
        for alert, history in alerts:
            print(commands.as_json(alert, history))
        return
    if not alerts:
        messages.print("nothing is wrong" + ("" if every else " now; --all shows what was"))
        return
    print_table(_table(alerts))


def acknowledge(alert: AlertArgument, actor: ActorOption = "", home: HomeOption = HOME) -> None:
    """Say that you have seen an alert. It stays until it is over.

    [bold]pmesh alerts ack 0199f2d0-0000-7000-8000-000000000001[/]
    """
    from monitoring.alerts import changes

    _change(changes.acknowledge, alert, actor, home)


def resolve(alert: AlertArgument, actor: ActorOption = "", home: HomeOption = HOME) -> None:
    """Say that an alert is dealt with. Only hours to come fire another.

    [bold]pmesh alerts resolve 0199f2d0-0000-7000-8000-000000000001 --as maria[/]
    """
    from monitoring.alerts import changes

    _change(changes.resolve, alert, actor, home)


def render() -> None:
    """Print the rules of all models' alerts.yaml as Prometheus reads them. No stack need run.

    [bold]pmesh alerts render > predict-mesh.rules.yml[/]
    """
    from monitoring.alerts.prometheus_rules import rules_file
    from pmesh.stack.model_list import read_model_list

    try:
        print(rules_file({model.id: model.alerts for model in read_model_list()}), end="")
    except ValueError as error:
        fail(str(error))


def _change(
    change: "Callable[[AlertStore, str, str], None]", alert: str, actor: str, home: Path
) -> None:
    from monitoring.alerts.changes import CannotChange
    from monitoring.alerts.store import AlertStore

    with _connection(home) as connection:
        try:
            change(AlertStore(connection), alert, actor or getpass.getuser())
        except CannotChange as error:
            fail(str(error), for_home("pmesh alerts list", home))


@contextmanager
def _connection(home: Path) -> "Iterator[psycopg.Connection[Any]]":
    import psycopg

    from monitoring.store import connect

    try:
        with connect(running_stack(home).monitoring_conninfo()) as connection:
            yield connection
    except psycopg.Error as error:
        fail(f"PostgreSQL: {error}", for_home("pmesh status", home))


def _table(alerts: "list[tuple[Alert, list[Event]]]") -> Table:
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "state", "model", "alert", "hour", "figure", "since", "who", "message"):
        rows.add_column(column, no_wrap=column != "message", overflow="fold")
    for alert, history in alerts:
        severity = str(alert.terms["severity"])
        rows.add_row(
            alert.id,
            f"[{_STATES[alert.state]}]{alert.state.lower()}[/]",
            f"{alert.model}@{alert.version}",
            f"[{_SEVERITIES[severity]}]{alert.rule}[/]",
            f"{alert.hour:%m-%d %H:00}",
            escape(_figure(alert)),
            f"{alert.fire_time:%m-%d %H:%M}",
            escape(alert.resolved_by or alert.acknowledged_by),
            escape(_message(alert, history)),
        )
    return rows


def _figure(alert: "Alert") -> str:
    """Such as "label_drift 0.31 (0.24 to 0.39) > 0.1, length:0-49"."""
    above = alert.terms.get("above")
    threshold = f"> {above:g}" if above is not None else f"< {alert.terms['below']:g}"
    interval = "" if alert.low is None else f" ({alert.low:.2f} to {alert.high:.2f})"
    slice_ = f", {alert.terms['slice']}" if alert.terms["slice"] else ""
    return f"{alert.terms['metric']} {alert.value:.3g}{interval} {threshold}{slice_}"


def _message(alert: "Alert", history: "list[Event]") -> str:
    """What the rule says, and what was asked for or found since."""
    found = [
        f"{event.change.lower().replace('_', ' ')}: {event.detail}"
        for event in history
        if event.detail
    ]
    return "; ".join([*filter(None, [str(alert.terms["message"])]), *found])
