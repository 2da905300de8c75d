"""How good values are: agreement with the human ratings, over all texts and for each domain."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelkit.abstract_model import FloatArray

from .labels import NEUTRAL_BAND


def metrics_by_domain(
    domains: Sequence[str], ratings: npt.NDArray[np.float64], values: FloatArray
) -> dict[str, float]:
    """pearson_r, f1_macro, f1_weighted and accuracy, and each again as <domain>/<metric>."""
    found = agreement(ratings, values)
    for domain in np.unique(domains):
        chosen = np.array(domains) == domain
        part = agreement(ratings[chosen], values[chosen])
        found |= {f"{domain}/{name}": number for name, number in part.items()}
    return found


def agreement(ratings: npt.NDArray[np.float64], values: FloatArray) -> dict[str, float]:
    """pearson_r, f1_macro, f1_weighted and accuracy of n values; both are -1 to 1."""
    truth, answer = _classes(ratings), _classes(values)
    f1, shares = [], []
    for label in np.unique(truth):
        hits = np.sum((truth == label) & (answer == label))
        f1.append(2 * hits / (np.sum(truth == label) + np.sum(answer == label)))
        shares.append(np.mean(truth == label))
    return {
        "pearson_r": _pearson(ratings, values),
        "f1_macro": float(np.mean(f1)),
        "f1_weighted": float(np.dot(f1, shares)),
        "accuracy": float(np.mean(truth == answer)),
    }


def _classes(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
    return (values > NEUTRAL_BAND).astype(np.int64) - (values < -NEUTRAL_BAND)


def _pearson(ratings: npt.NDArray[np.float64], values: FloatArray) -> float:
    """0 where either does not vary."""
    if ratings.std() == 0 or values.std() == 0:
        return 0.0
    return float(np.corrcoef(ratings, values)[0, 1])
