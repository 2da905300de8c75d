"""What is to be reached, and whether it was: a report, not a test."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table

from benchmarks.tables import empty_table


@dataclass(frozen=True, kw_only=True)
class Target:
    """One figure and its bound."""

    name: str
    value: float
    bound: float
    unit: str
    at_least: bool

    @property
    def reached(self) -> bool:
        """Nothing fails if it is not."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def ratio(name: str, value: float, bound: float) -> Target:
    """So many times something else, at the least."""
    return Target(name=name, value=value, bound=bound, unit="x", at_least=True)


def limit(name: str, value: float, bound: float, unit: str = "x") -> Target:
    """At the most."""
    return Target(name=name, value=value, bound=bound, unit=unit, at_least=False)


def target_table(targets: Iterable[Target]) -> Table:
    """What was to be reached."""
    table = empty_table("Targets", "what", "figure", "target", "")
    for target in targets:
        bound = f"{'at least' if target.at_least else 'at most'} {target.bound:.3g} {target.unit}"
        mark = "[green]reached[/]" if target.reached else "[red]missed[/]"
        table.add_row(target.name, f"{target.value:.3g} {target.unit}", bound, mark)
    return table
