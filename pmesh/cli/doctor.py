"""`pmesh doctor`: what the stack needs of this machine, and how its parts are."""

import typer
from rich.table import Table

from pmesh.cli.options import HOME, HomeOption, console
from pmesh.stack.control import Stack
from pmesh.stack.status import StackStatus, State


def doctor(home: HomeOption = HOME, port: int = 8080) -> None:
    """Look for what may keep the stack from running, and say what to do about it."""
    from pmesh.stack.requirements import Finding, check_machine

    status = Stack(home).status()
    findings = list(check_machine(home, gateway_port=port))
    if status is not None:
        # Its own memory is taken and its own port is in use, as they should be.
        findings = [f for f in findings if not f.name.startswith(("port ", "memory"))]
        findings += [Finding(*row) for row in _parts(status)]
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "what", "found", "what to do"):
        rows.add_column(column)
    for found in findings:
        mark = "[green]ok[/]" if found.ok else "[red]problem[/]"
        rows.add_row(mark, found.name, found.detail, "" if found.ok else found.remedy)
    console.print(rows)
    if not all(found.ok for found in findings):
        raise typer.Exit(1)


def _parts(status: StackStatus) -> list[tuple[str, bool, str, str]]:
    well = (State.READY, State.DONE, State.STARTING)
    return [
        (
            f"part {part.name}",
            part.state in well,
            f"{part.state}, {part.restarts} restarts {part.last_exit}".strip(),
            f"pmesh logs {part.name}",
        )
        for part in status.parts
    ]
