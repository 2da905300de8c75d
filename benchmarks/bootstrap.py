"""How sure a figure is: what it would be for other samples of the same kind."""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
INTERVAL = (2.5, 97.5)  # percentiles: 95 % lie between


class Figure(NamedTuple):
    """A figure of a sample, and of as many drawn from it with replacement."""

    point: float
    resampled: npt.NDArray[np.float64]
    """(RESAMPLES,) Draws from samples of one size are the same, so figures of two can be paired."""

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval."""
        low, high = np.percentile(self.resampled, INTERVAL)
        return float(low), float(high)

    def minus(self, other: Self) -> "Figure":
        """The paired difference."""
        return Figure(self.point - other.point, self.resampled - other.resampled)


def draws(count: int) -> npt.NDArray[np.int64]:
    """(RESAMPLES, count) numbers below `count`: which of a sample each resample holds."""
    return np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
