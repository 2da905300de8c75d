"""Judges answers by their labels, for a model that has no code here."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from modelkit.abstract_model import AbstractModel, Example, Predictions, Progress


class LabelJudge(AbstractModel):
    """It has the metrics that every model has, and predicts nothing."""

    feature_size = 0

    def predict(self, texts: Sequence[str]) -> Predictions:
        raise NotImplementedError

    def train(self, examples: Sequence[Example], *, seed: int, progress: Progress) -> None:
        raise NotImplementedError

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        raise NotImplementedError

    def set_weights(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        raise NotImplementedError


def label_judge(labels: Sequence[str]) -> AbstractModel:
    """A judge of answers with these labels."""
    judge = LabelJudge()
    judge.labels = tuple(labels)  # type: ignore[misc]
    return judge
