"""What several commands take, and how they end when they cannot go on."""

import os
import re
import shlex
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

HOME_HELP = "The data directory of the stack."
HomeOption = Annotated[
    Path,
    typer.Option("--home", envvar="PMESH_HOME", help=HOME_HELP),
]
PortOption = Annotated[
    int,
    typer.Option("--port", envvar="PMESH_PORT", min=1, max=65535, help="The port of the gateway."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
HOME = Path(".pmesh")
PORT = 8080
_WIDE = 240
_COMMAND = re.compile(r"\bpmesh (?:(?:annotate|models) )?[a-z]+\b(?! --home)")

console = Console(highlight=False, soft_wrap=True)
"""Answers, on standard output."""
messages = Console(stderr=True, highlight=False, soft_wrap=True)
"""Progress and errors, on standard error."""


def print_table(table: Table) -> None:
    """Print an answer. What reads a pipe has no width: nothing is cut for it."""
    if not console.is_terminal:
        console.width = _WIDE
    console.print(table)


def for_home(text: str, home: Path) -> str:
    """A text for a person whose stack is there: each `pmesh COMMAND` in it, which must take --home,
    names the directory unless that is where the command looks by itself."""
    if home == Path(os.environ.get("PMESH_HOME") or HOME):
        return text
    option = f" --home {shlex.quote(str(home))}"
    return _COMMAND.sub(lambda command: command[0] + option, text)


def fail(problem: str, remedy: str = "") -> NoReturn:
    """End the command: what went wrong, and what to do about it."""
    messages.print("[bold red]error[/]", end=" ")
    messages.print(problem, markup=False)
    if remedy:
        messages.print("[bold]try[/]  ", end=" ")
        messages.print(remedy, markup=False)
    raise typer.Exit(1)
