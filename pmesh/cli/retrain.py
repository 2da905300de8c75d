"""`pmesh retrain`: trainings from labels that the stack carries out by itself."""

import getpass
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pmesh.cli.options import HOME, HomeOption, console, fail, for_home, print_table
from pmesh.cli.running import running_stack

if TYPE_CHECKING:
    from training.store import Retraining

SHOWN = 50
_COLOURS = {"SUCCEEDED": "green", "FAILED": "red"}


def retrain(
    model: Annotated[str, typer.Argument(metavar="[MODEL]", help="None: list them.")] = "",
    actor: Annotated[str, typer.Option("--actor", help="Who asks, for the record.")] = "",
    home: HomeOption = HOME,
) -> None:
    """Ask for a training from labels, or list those that were asked for, by people and alerts.

    The stack trains in the background. The new version gets no traffic yet.

    [bold]pmesh retrain sentiment[/]
    [bold]pmesh retrain[/]
    """
    import psycopg

    from database.connections import connect
    from training.store import TrainingStore

    try:
        with connect(running_stack(home).training_conninfo()) as connection:
            store = TrainingStore(connection)
            if not model:
                _show(store.newest(SHOWN))
                return
            asked = store.request(model, actor or getpass.getuser())
    except psycopg.Error as error:
        fail(f"PostgreSQL: {error}", for_home("pmesh status", home))
    if asked is None:
        fail(f"there is no model {model!r}", for_home("pmesh models list", home))
    how = "is asked for" if asked.state == "REQUESTED" else "is under way"
    console.print(f"[bold green]✓[/] a training of {model} from labels {how}")
    console.print("[bold]next[/] ", end=" ")
    console.print(for_home("pmesh retrain", home), "  what has become of it", markup=False)


def _show(retrainings: "Iterable[Retraining]") -> None:
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("when", "who", "version", "outcome", "why"):
        rows.add_column(column, no_wrap=column != "why")
    for one in retrainings:
        rows.add_row(
            f"{one.create_time.astimezone():%Y-%m-%d %H:%M:%S}",
            escape(one.actor),
            f"{one.model}@{one.version or '?'}",
            f"[{_COLOURS.get(one.state, 'yellow')}]{one.state.lower()}[/]",
            escape(one.error),
        )
    print_table(rows)
