"""The 95 % intervals of figures, each in closed form from counts and sums.

Where rows have weights (the inverse of the probability with which each was chosen), a mean is
Hájek's, sum(w x) / sum(w), and its variance that of a ratio by linearisation: sum(w² (x - mean)²) /
sum(w)². Source: Särndal, Swensson, Wretman, Model Assisted Survey Sampling, 1992, section 5.7.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from monitoring.figures import Interval

Z = 1.959963984540054  # of the normal distribution, for 95 %


def wilson(share: float, rows: float) -> Interval:
    """Of a share among so many rows > 0, also where none or all are of it.

    Source: Wilson, Journal of the American Statistical Association 22, 1927.
    """
    scale = 1 + Z * Z / rows
    centre = (share + Z * Z / (2 * rows)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / rows + Z * Z / (4 * rows * rows))
    # At the ends it is exact, which the arithmetic above misses by a rounding.
    low = 0.0 if share == 0 else max(0.0, centre - half)
    high = 1.0 if share == 1 else min(1.0, centre + half)
    return Interval(low, high)


def weighted_share(share: float, variance: float, kish_rows: float) -> Interval:
    """Of a share that is a ratio of sums: Wilson's, with the rows that would have this variance.

    Source: Korn and Graubard, Survey Methodology 24, 1998. kish_rows: sum(w)² / sum(w²), which
    must do where all rows agree and so show no variance.
    """
    rows = share * (1 - share) / variance if variance > 0 and 0 < share < 1 else kish_rows
    return wilson(share, rows)


class Stratum(NamedTuple):
    """Rows of about one weight: sums of weights, of their squares, and of the weights of a part."""

    weight: float
    square: float
    part: float


def stratified_share(strata: Sequence[Stratum]) -> Interval:
    """Of a share whose rows have weights that differ much, so that few of them may decide it.

    If none of a few heavy rows is wrong, a variance that is estimated from them says that none of
    their kind is. So each stratum has the interval of its own rows, Wilson's with the rows that
    would tell as much without weights, and the distances of the strata's shares from their ends
    are added as standard errors are. To these comes what the strata's sizes, that are estimates
    too, add to the variance. Of one stratum, it is Wilson's.
    Source: Zou and Donner, Statistics in Medicine 27, 2008 (MOVER); Yan and Su, Statistics in
    Biopharmaceutical Research 2, 2010; for the rows, Kish, Survey Sampling, 1965, section 11.7.
    """
    total = sum(stratum.weight for stratum in strata)
    share = sum(stratum.part for stratum in strata) / total
    below = above = 0.0
    for weight, square, part in strata:
        own = part / weight
        low, high = wilson(own, weight * weight / square)
        sizes = Z * Z * (own - share) ** 2 * square
        below += (weight * (own - low)) ** 2 + sizes
        above += (weight * (high - own)) ** 2 + sizes
    return Interval(
        max(0.0, share - math.sqrt(below) / total), min(1.0, share + math.sqrt(above) / total)
    )


def normal(value: float, variance: float, *, least: float, most: float) -> Interval:
    """Of an estimate whose variance is known, within what the value can be at all."""
    half = Z * math.sqrt(max(variance, 0.0))
    return Interval(max(least, value - half), min(most, value + half))
