"""How tables look on the terminal."""

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table


def empty_table(title: str, *heads: str) -> Table:
    """An empty one: the first two columns hold words, the others figures."""
    table = Table(title=title, box=SIMPLE, title_justify="left", caption_justify="left")
    for position, head in enumerate(heads):
        table.add_column(head, justify="left" if position < 2 else "right", no_wrap=True)
    return table


def show(console: Console, *tables: Table) -> None:
    """Print them one below the other."""
    for shown in tables:
        console.print()
        console.print(shown)
