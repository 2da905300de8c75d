"""The metrics of the held-out texts, and what they would be for other texts of the same kind."""

import numpy as np
import numpy.typing as npt

from benchmarks.bootstrap import Figure, draws
from models.sentiment.metrics import agreement


def bootstrap(
    ratings: npt.NDArray[np.float64], values: npt.NDArray[np.float32]
) -> dict[str, Figure]:
    """Each metric of n ratings and the values (trainings, n), as the mean over the trainings."""
    count = len(ratings)
    samples = (np.arange(count), *draws(count))
    found = [_metrics(ratings[rows], values[:, rows]) for rows in samples]
    return {
        name: Figure(found[0][name], np.array([metrics[name] for metrics in found[1:]]))
        for name in found[0]
    }


def _metrics(ratings: npt.NDArray[np.float64], values: npt.NDArray[np.float32]) -> dict[str, float]:
    found = [agreement(ratings, training) for training in values]
    return {name: float(np.mean([metrics[name] for metrics in found])) for name in found[0]}
