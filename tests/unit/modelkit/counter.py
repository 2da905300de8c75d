"""A model for tests: the more letters "a", the more it is sure of the label "many"."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelkit.abstract_model import AbstractModel, Example, Predictions, Progress


class Counter(AbstractModel):
    """The value is how many there are."""

    labels = ("few", "many")
    feature_size = 1
    has_value = True

    def predict(self, texts: Sequence[str]) -> Predictions:
        counts = np.array([text.count("a") for text in texts], np.float32)
        many = counts / (counts + 2)
        return Predictions(np.stack([1 - many, many], axis=1), counts[:, np.newaxis], counts)

    def train(self, examples: Sequence[Example], *, seed: int, progress: Progress) -> None:
        raise NotImplementedError

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        return {}

    def set_weights(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        pass
