"""`pmesh release`, `promote`, `rollback` and `history`: versions of a model and their traffic."""

import getpass
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from predict.v1 import model_pb2
from rich.markup import escape
from rich.table import Table

from pmesh.cli.arguments import parse
from pmesh.cli.client import CallFailedError, GatewayClient
from pmesh.cli.options import HOME, HomeOption, console, fail, messages
from pmesh.cli.programs import run_release
from pmesh.cli.running import running_stack
from pmesh.stack.control import Stack

Result = TypeVar("Result")

ModelArgument = Annotated[str, typer.Argument(help="Id of the model, such as sentiment.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the history.")]
_STATE_COLOURS = {"DONE": "green", "RUNNING": "yellow", "REFUSED": "red", "INTERRUPTED": "red"}


def release(context: typer.Context, home: HomeOption = HOME) -> None:
    """Bring a version into service: check it, load it, warm it up, give it traffic.

    pmesh release sentiment@3                     all the traffic
    pmesh release sentiment@3 --canary 10         a tenth; then pmesh promote or rollback
    pmesh release sentiment@3 --steps 10,50,100   step by step
    """
    from rollout.options import add_release_options

    asked = parse(context, release, add_release_options)
    model = asked.version.model
    run_release(home, model, *context.args)
    if asked.canary and asked.canary < 100:
        messages.print(f"next: pmesh promote {model}, or pmesh rollback {model}", markup=False)


def promote(model: ModelArgument, reason: ReasonOption = "", home: HomeOption = HOME) -> None:
    """Give the newest version in the traffic all of it.

    [bold]pmesh promote sentiment --reason "a day without complaints"[/]
    """
    from rollout import traffic

    version = _move(
        home, lambda store: traffic.promote(store, model, actor=getpass.getuser(), reason=reason)
    )
    console.print(f"{model} {version} has all the traffic")


def rollback(model: ModelArgument, reason: ReasonOption = "", home: HomeOption = HOME) -> None:
    """Go back to the split before the newest version, at once.

    [bold]pmesh rollback sentiment --reason "too many neutral answers"[/]
    """
    from rollout import traffic

    shares = _move(
        home, lambda store: traffic.roll_back(store, model, actor=getpass.getuser(), reason=reason)
    )
    console.print(f"{model} is back at {_shares(shares)}")


def history(
    model: ModelArgument,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 20,
    home: HomeOption = HOME,
) -> None:
    """Show what was asked of a model's traffic: who, when, why, and what became of it.

    [bold]pmesh history sentiment[/]
    """
    if (status := Stack(home).status()) is None:
        fail(f"no stack runs on {home}", "pmesh up")
    with GatewayClient(status.gateway_port) as client:
        try:
            releases = client.releases(model, limit=limit)
        except CallFailedError as error:
            fail(str(error), error.remedy)
    console.print(_table(releases))


def _move(home: Path, move: "Callable[..., Result]") -> Result:
    """Do it on PostgreSQL, the only part that moving traffic needs."""
    import psycopg

    from database.connections import bounded
    from rollout.store import ModelNotRegistered, ReleaseStore
    from rollout.traffic import NothingToDo

    conninfo = running_stack(home).conninfo()
    try:
        with psycopg.connect(bounded(conninfo), autocommit=True) as connection:
            return move(ReleaseStore(connection))
    except (ModelNotRegistered, NothingToDo) as error:
        fail(str(error))
    except psycopg.OperationalError as error:
        fail(f"PostgreSQL does not answer: {error}", "pmesh status, then pmesh logs postgres")


def _table(releases: list[model_pb2.Release]) -> Table:
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("when", "who", "what", "version", "outcome", "traffic", "why"):
        rows.add_column(column, no_wrap=column != "why")
    for found in releases:
        state = model_pb2.ReleaseState.Name(found.state).removeprefix("RELEASE_STATE_")
        action = model_pb2.ReleaseAction.Name(found.action).removeprefix("RELEASE_ACTION_")
        rows.add_row(
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.create_time.seconds)),
            escape(found.actor),
            action.lower().replace("_", " "),
            found.version,
            f"[{_STATE_COLOURS[state]}]{(found.refusal or state).lower().replace('_', ' ')}[/]",
            _shares({share.version: share.percent for share in found.traffic}),
            escape(found.reason or found.detail),
        )
    return rows


def _shares(shares: dict[str, int]) -> str:
    return ", ".join(f"{version}: {percent} %" for version, percent in shares.items())
