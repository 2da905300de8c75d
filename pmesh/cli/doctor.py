"""`pmesh doctor`: what the stack needs of this machine, and how its parts are."""

import typer
from rich.markup import escape
from rich.table import Table

from pmesh.cli.options import HOME, PORT, HomeOption, PortOption, console, for_home
from pmesh.stack.control import Stack
from pmesh.stack.findings import check_parts


def doctor(home: HomeOption = HOME, port: PortOption = PORT) -> None:
    """Look for what may keep the stack from running, and say what to do about it."""
    from pmesh.stack.requirements import check_machine

    status = Stack(home).status()
    findings = list(check_machine(home, gateway_port=port))
    if status is not None:
        # Its own memory is taken and its own port is in use, as they should be.
        findings = [f for f in findings if not f.name.startswith(("port ", "memory"))]
        findings += check_parts(status)
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "what", "found", "what to do"):
        rows.add_column(column)
    for found in findings:
        mark = "[green]ok[/]" if found.ok else "[red]problem[/]"
        remedy = "" if found.ok else for_home(found.remedy, home)
        rows.add_row(mark, found.name, escape(found.detail), escape(remedy))
    console.print(rows)
    if not all(found.ok for found in findings):
        raise typer.Exit(1)
