"""Labelled rows as the monitoring's statement `counts` sums them up."""

import math
from collections.abc import Iterable

from monitoring.counts import Weighted


def weighted_confusion(
    rows: Iterable[tuple[str, str, float]],
) -> dict[tuple[str, str, str], Weighted]:
    """Of (answer, truth, weight)."""
    found: dict[tuple[str, str, str], Weighted] = {}
    for answer, truth, weight in rows:
        key = answer, truth, str(math.floor(math.log2(weight)))
        n, w, ww = found.get(key, Weighted(0, 0, 0))
        found[key] = Weighted(n + 1, w + weight, ww + weight * weight)
    return found
