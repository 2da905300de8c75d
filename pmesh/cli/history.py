"""`pmesh history`: what was asked of a model's traffic."""

import time
from collections.abc import Iterable
from typing import Annotated

import typer
from predict.v1.model_pb2 import Release, ReleaseAction, ReleaseState
from rich.markup import escape
from rich.table import Table

from pmesh.calls import CallFailedError
from pmesh.cli.options import HOME, HomeOption, fail, print_table
from pmesh.cli.release import AddressOption, ModelArgument, gateway
from pmesh.cli.splits import split
from pmesh.releases import UNDER_WAY, ReleaseClient

_COLOURS = {"DONE": "green", "REFUSED": "red", "INTERRUPTED": "red"}


def history(
    model: ModelArgument,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 20,
    address: AddressOption = "",
    home: HomeOption = HOME,
) -> None:
    """Show what was asked of a model's traffic: who, when, why, and what became of it.

    [bold]pmesh history sentiment[/]
    """
    try:
        with ReleaseClient(*gateway(address, home)) as client:
            releases = client.list(model, limit=limit)
    except CallFailedError as error:
        fail(str(error), error.remedy)
    print_table(_table(releases))


def _table(releases: Iterable[Release]) -> Table:
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("when", "who", "what", "version", "outcome", "traffic", "why"):
        rows.add_column(column, no_wrap=column != "why")
    for found in releases:
        action = ReleaseAction.Name(found.action).removeprefix("RELEASE_ACTION_")
        rows.add_row(
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.create_time.seconds)),
            escape(found.actor),
            action.lower().replace("_", " "),
            found.version,
            _outcome(found),
            split(found.shares),
            escape(found.reason or found.detail),
        )
    return rows


def _outcome(found: Release) -> str:
    state = ReleaseState.Name(found.state).removeprefix("RELEASE_STATE_")
    words = (found.refusal or state).lower().replace("_", " ")
    if found.state in UNDER_WAY and found.steps_done:
        words += f", step {found.steps_done} of {len(found.steps)}"
    return f"[{_COLOURS.get(state, 'yellow')}]{words}[/]"
