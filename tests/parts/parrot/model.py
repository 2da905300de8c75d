"""A model for tests whose answers show which text and which version they are of."""

import os
import time
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelkit.abstract_model import AbstractModel, Example, Predictions, Progress


class Model(AbstractModel):
    """The value is the length of the text; the features end with its checksum.

    A text with "poison" in it makes the model fail; "sleep 1.5" keeps it busy for so long;
    "crash" ends its process.
    """

    labels = ("negative", "neutral", "positive")
    feature_size = 2
    has_value = True

    def __init__(self, *, version: int = 0, device: str = "cpu") -> None:
        super().__init__(device=device)
        self._version = version

    def predict(self, texts: Sequence[str]) -> Predictions:
        if any("poison" in text for text in texts):
            raise ValueError("poison")
        if "crash" in texts:
            os._exit(1)
        for text in texts:
            if text.startswith("sleep "):
                time.sleep(float(text.split()[1]))
        scores = np.array([[0.25, 0.5, 0.25]] * len(texts), np.float32)
        features = np.array([[self._version, checksum(text)] for text in texts], np.float32)
        return Predictions(scores, features, np.array([len(t) for t in texts], np.float32))

    def train(self, examples: Sequence[Example], *, seed: int, progress: Progress) -> None:
        raise NotImplementedError

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        return {"version": np.array([self._version])}

    def set_weights(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        self._version = int(weights["version"][0])


def checksum(text: str) -> int:
    """A number below 65,536, which float32 holds exactly."""
    return zlib.crc32(text.encode()) % 65_536
