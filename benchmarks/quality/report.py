"""The tables on the terminal, in Markdown."""

from collections.abc import Mapping

from rich.box import MARKDOWN
from rich.table import Table

from benchmarks.bootstrap import Figure
from benchmarks.quality.published import BEST_TOOL, ONE_HUMAN
from benchmarks.quality.trial import Trial

Figures = Mapping[str, Mapping[str, Mapping[str, Figure]]]
"""By variant, domain and metric."""

ALL = "all"
PUBLISHED = {"pearson_r": "pearson_r", "f1_weighted": "f1"}


def agreement_table(figures: Figures, counts: Mapping[str, int]) -> Table:
    """Each domain: the variants, with 95 % confidence intervals, and the published figures."""
    table = _table("domain", "", "r", "F1 weighted", "F1 macro")
    for domain, count in counts.items():
        for variant, by_domain in figures.items():
            cells = (
                _against_the_tool(by_domain[domain][metric], domain, metric)
                for metric in ("pearson_r", "f1_weighted", "f1_macro")
            )
            table.add_row(f"{domain} ({count:,})", variant, *cells)
        for name, published in (("best lexicon tool", BEST_TOOL), ("one human", ONE_HUMAN)):
            if domain in published:
                r, f1 = published[domain]
                table.add_row(domain, name, f"{r:.3f}", f"{f1:.2f}", "")
    return table


def cost_table(trials: Mapping[str, Trial]) -> Table:
    """What each variant takes."""
    table = _table("variant", "training, s", "one text, µs", "weights, MiB")
    for variant, trial in trials.items():
        table.add_row(
            variant, f"{trial.training_s:.0f}", f"{trial.text_us:.0f}", f"{trial.weights_mib:.1f}"
        )
    return table


def difference_table(figures: Figures, one: str, other: str) -> Table:
    """The paired differences of two variants by domain."""
    table = _table(f"{one} minus {other}", "r", "F1 weighted", "F1 macro")
    for domain in figures[one]:
        cells = (
            f"{difference.point:+.3f} ({_interval(difference, '+.3f')})"
            for metric in ("pearson_r", "f1_weighted", "f1_macro")
            for difference in [figures[one][domain][metric].minus(figures[other][domain][metric])]
        )
        table.add_row(domain, *cells)
    return table


def verdict(figures: Figures, trials: Mapping[str, Trial], one: str, other: str) -> str:
    """Which of two variants is better over all texts, by how much, and at what cost."""
    difference = figures[one][ALL]["pearson_r"].minus(figures[other][ALL]["pearson_r"])
    low, high = difference.interval
    cost = trials[one].text_us / trials[other].text_us
    if low <= 0 <= high:
        found = f"Neither {one} nor {other} is clearly better"
    else:
        better = one if low > 0 else other
        found = f"By r {better} is better"
    return (
        f"{found}: r of {one} minus r of {other} is {difference.point:+.3f}"
        f" ({_interval(difference, '+.3f')}) over all texts."
        f" {one} takes {cost:.1f} times as long for a text as {other}."
    )


def _against_the_tool(figure: Figure, domain: str, metric: str) -> str:
    """The figure, and whether it is surely above or below the best published tool."""
    cell = f"{figure.point:.3f} ({_interval(figure, '.3f')})"
    if domain not in BEST_TOOL or metric not in PUBLISHED:
        return cell
    published = getattr(BEST_TOOL[domain], PUBLISHED[metric])
    low, high = figure.interval
    return cell + (" above" if low > published else " below" if high < published else "")


def _interval(figure: Figure, form: str) -> str:
    return " to ".join(format(bound, form) for bound in figure.interval)


def _table(*heads: str) -> Table:
    table = Table(box=MARKDOWN)
    for head in heads:
        table.add_column(head, no_wrap=True)
    return table
