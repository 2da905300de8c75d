"""How sure a figure is: what it would be for other texts of the same kind."""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from models.sentiment.metrics import agreement

RESAMPLES = 1000
INTERVAL = (2.5, 97.5)  # percentiles: 95 % lie between


class Figure(NamedTuple):
    """A metric of the held-out texts, and of as many drawn from them with replacement."""

    point: float
    resampled: npt.NDArray[np.float64]
    """(RESAMPLES,) The draws are the same for all models, so figures of two can be paired."""

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval."""
        low, high = np.percentile(self.resampled, INTERVAL)
        return float(low), float(high)

    def minus(self, other: Self) -> "Figure":
        """The paired difference."""
        return Figure(self.point - other.point, self.resampled - other.resampled)


def bootstrap(
    ratings: npt.NDArray[np.float64], values: npt.NDArray[np.float32]
) -> dict[str, Figure]:
    """Each metric of n ratings and the values (trainings, n), as the mean over the trainings."""
    count = len(ratings)
    draws = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    found = [_metrics(ratings[rows], values[:, rows]) for rows in (np.arange(count), *draws)]
    return {
        name: Figure(found[0][name], np.array([metrics[name] for metrics in found[1:]]))
        for name in found[0]
    }


def _metrics(ratings: npt.NDArray[np.float64], values: npt.NDArray[np.float32]) -> dict[str, float]:
    found = [agreement(ratings, training) for training in values]
    return {name: float(np.mean([metrics[name] for metrics in found])) for name in found[0]}
