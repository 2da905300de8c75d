"""The tables on the terminal."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from benchmarks.against.lines import GRPC_64, TRITON_64
from benchmarks.against.ratios import MEASURES, Comparison, share
from benchmarks.against.turns import NEW, OLD, Turn
from benchmarks.bootstrap import Figure
from benchmarks.tables import empty_table


def comparison_table(
    turns: Sequence[Turn], comparisons: Mapping[tuple[str, str], Comparison], names: Sequence[str]
) -> Table:
    """Every line. names: of the old and of the new side."""
    (old, new), pairs = names, len({turn.pair for turn in turns})
    table = empty_table(
        f"{new} against {old}, {pairs} pairs", "line", "", "old", "new", "new / old", "95 %"
    )
    table.add_column("failed", justify="right")
    table.add_column("noise", justify="right")
    table.caption = (
        "at: calls in flight. new / old: the median over the pairs of turns; 95 %: where it would"
        " be for other pairs. CPU: of all parts but MLflow, until the events are published."
        " Triton: asked directly. failed: old and new. noise: what others took of the machine."
    )
    for line in dict.fromkeys(turn.line for turn in turns):
        of_line = [turn for turn in turns if turn.line == line]
        for number, measure in enumerate(MEASURES):
            c = comparisons[line, measure]
            form = ",.0f" if c.old >= 100 else ".2f"
            table.add_row(
                "" if number else line,
                measure,
                format(c.old, form),
                format(c.new, form),
                f"{c.ratio.point:.2f}",
                interval(c.ratio),
                *(() if number else (_failed(of_line), f"{noise(of_line):.0%}")),
            )
        table.add_section()
    return table


def triton_table(turns: Sequence[Turn]) -> Table:
    """How much of Triton's own speed each side gives."""
    table = empty_table("gRPC at 64 of Triton", "side", "", "share", "95 %")
    for side in (OLD, NEW):
        figure = share(turns, GRPC_64, TRITON_64, side)
        table.add_row(side, "", f"{figure.point:.2f}", interval(figure))
    return table


def noise(turns: Sequence[Turn]) -> float:
    """What others took of the machine, as a share."""
    return sum(turn.foreign_share for turn in turns) / len(turns)


def interval(figure: Figure) -> str:
    """Both ends."""
    low, high = figure.interval
    return f"{low:.2f} to {high:.2f}"


def _failed(turns: Sequence[Turn]) -> str:
    return " ".join(
        str(sum(turn.load.failed for turn in turns if turn.side == side)) for side in (OLD, NEW)
    )
