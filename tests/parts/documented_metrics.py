"""The metrics that docs/observability.md has in its table."""

import re
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs/observability.md"
_ENDINGS = re.compile(r"_(bucket|count|sum|created)$")


def documented_metrics() -> set[str]:
    """Their names."""
    table = _PAGE.read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    firsts = (row.split("|")[1] for row in table.splitlines() if row.startswith("| `"))
    return {name for first in firsts for name in re.findall(r"`(\w+)`", first)}


def family(series: str) -> str:
    """The metric that a series is of: of a histogram, without the endings of its parts."""
    return _ENDINGS.sub("", series)
