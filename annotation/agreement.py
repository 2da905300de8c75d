"""How far annotators agree: Krippendorff's alpha for labels without an order.

Source: Krippendorff, Content Analysis, 4th edition 2019, section 12.3; alpha is 1 for agreement in
all, 0 for what chance gives, and below 0 for less than that. Predictions that one annotator
labelled say nothing of agreement and are left out; how many labelled each does not matter.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of the annotators of a model."""

    alpha: float | None
    """None where it is not defined: nothing was labelled twice, or all with one label."""
    predictions: int
    """That several annotators labelled."""
    labels: int
    """Those of these predictions."""


def agreement(said: Iterable[tuple[Mapping[str, int], int]]) -> Agreement:
    """said: labels with how many annotators said each of a prediction, two or more in all, and
    how many such predictions there are."""
    predictions = labels = 0
    totals: Counter[str] = Counter()
    observed = 0.0  # pairs of different labels within predictions, as the coincidence matrix has it
    for by_label, times in said:
        size = sum(by_label.values())
        predictions += times
        labels += size * times
        for label, count in by_label.items():
            totals[label] += count * times
            observed += times * count * (size - count) / (size - 1)
    expected = sum(count * (labels - count) for count in totals.values())
    if not expected:
        return Agreement(None, predictions, labels)
    return Agreement(1 - (labels - 1) * observed / expected, predictions, labels)
