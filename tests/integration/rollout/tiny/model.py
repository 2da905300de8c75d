"""A model of the genres that is as good as it is told to be, and as bad."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelkit.abstract_model import AbstractModel, Example, Predictions, Progress


class Model(AbstractModel):
    """Texts begin with their label, which it reads in a share of them: its skill."""

    labels = ("movie_review", "product_review", "tweet")
    feature_size = 2

    def __init__(self, *, skill: float = 0.9, version: int = 0, device: str = "cpu") -> None:
        super().__init__(device=device)
        self._skill = skill
        self._version = version

    def predict(self, texts: Sequence[str]) -> Predictions:
        scores = np.full((len(texts), len(self.labels)), 0.1, np.float32)
        for row, text in zip(scores, texts, strict=True):
            row[self._answer(text)] = 0.8
        features = np.array([[self._version, len(text)] for text in texts], np.float32)
        return Predictions(scores, features)

    def train(self, examples: Sequence[Example], *, seed: int, progress: Progress) -> None:
        raise NotImplementedError

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        return {"skill": np.array([self._skill]), "version": np.array([self._version])}

    def set_weights(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        self._skill = float(weights["skill"][0])
        self._version = int(weights["version"][0])

    def _answer(self, text: str) -> int:
        right = text.partition(" ")[0]
        luck = zlib.crc32(text.encode()) % 1000 / 1000
        known = self.labels.index(right) if right in self.labels else 0
        return known if luck < self._skill else (known + 1) % len(self.labels)
