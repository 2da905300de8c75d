"""Shows the results: a line for each check, then what to do."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.conformance.check import Level
from tests.conformance.suite import Outcome, Result
from tests.conformance.target import Target


def show(console: Console, target: Target, results: Sequence[Result]) -> None:
    """Print all of it."""
    table = Table("", "check", "seen", box=None, pad_edge=False)
    for result in results:
        table.add_row(_mark(result), result.check.name, escape(result.seen))
    console.print(table)
    for result in results:
        if result.outcome is Outcome.UNFIT:
            _show_unfit(console, result)
    console.print()
    console.print(_verdict(target, results))


def fits(results: Sequence[Result]) -> bool:
    """Whether nothing that is required is missing."""
    return not any(result.is_fault for result in results)


def _mark(result: Result) -> str:
    if result.outcome is Outcome.NOT_TRIED:
        return "[dim]not tried[/]"
    if result.check.level is Level.NOTE:
        return "[cyan]note[/]"
    if result.outcome is Outcome.FITS:
        return "[green]fits[/]"
    return "[bold red]unfit[/]" if result.is_fault else "[yellow]better[/]"


def _show_unfit(console: Console, result: Result) -> None:
    check = result.check
    console.print(f"\n[bold]{check.name}[/] ({check.level.value})")
    for title, text in (("expected", check.expected), ("seen", result.seen), ("try", check.remedy)):
        if text:
            console.print(f"  [bold]{title:9}[/]{escape(text)}")


def _verdict(target: Target, results: Sequence[Result]) -> str:
    name = escape(f"{target.model}@{target.version} at {target.address}")
    if fits(results):
        return f"[bold green]fits[/]  {name}"
    faults = sum(result.is_fault for result in results)
    return f"[bold red]does not fit[/]  {name}: {faults} of {len(results)} checks"
