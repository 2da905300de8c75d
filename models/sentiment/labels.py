"""How a value becomes a label: -1 is most negative, 1 most positive, and near 0 neutral."""

import torch
from torch import Tensor
from torch.nn import functional

LABELS = ("negative", "neutral", "positive")
NEUTRAL_BAND = 0.05
"""Values this close to 0 are neutral. Source: Hutto and Gilbert, VADER, 2014."""

VALUES = {"negative": -0.5, "neutral": 0.0, "positive": 0.5}
"""What a label alone stands for: about the mean of the ratings that get it."""


def label_of(value: float) -> str:
    """The label of a value."""
    if abs(value) <= NEUTRAL_BAND:
        return "neutral"
    return "positive" if value > 0 else "negative"


def label_scores(values: Tensor, log_temperature: Tensor) -> Tensor:
    """(n, 3) scores of the labels for n values; the largest is that of the value's own label."""
    return _logits(values, log_temperature).softmax(dim=1)


def label_loss(values: Tensor, targets: Tensor, log_temperature: Tensor) -> Tensor:
    """The mean cross-entropy of the scores of n values where the targets are the right values."""
    labels = (targets > NEUTRAL_BAND).long() - (targets < -NEUTRAL_BAND).long() + 1
    return functional.cross_entropy(_logits(values, log_temperature), labels)


def _logits(values: Tensor, log_temperature: Tensor) -> Tensor:
    sharpness = torch.exp(-log_temperature)
    return torch.stack(
        [
            -(values + NEUTRAL_BAND) * sharpness,
            torch.zeros_like(values),
            (values - NEUTRAL_BAND) * sharpness,
        ],
        dim=1,
    )
