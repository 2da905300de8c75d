"""The benchmark's `light` model as Triton serves it; `workload` is the benchmark's own module."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import workload  # type: ignore[import-not-found]

FloatArray = npt.NDArray[np.float32]


class Predictions(NamedTuple):
    """What triton_repo.python_model reads of n texts."""

    scores: FloatArray
    features: FloatArray
    value: None = None


class Model:
    """Gives the label and the score that the benchmark expects."""

    @classmethod
    def load(cls, directory: Path, *, device: str = "cpu") -> Self:
        """There is nothing to read: the weights come from a seed."""
        return cls()

    def __init__(self) -> None:
        self._model = workload.load("light")

    def predict(self, texts: Sequence[str]) -> Predictions:
        """Scores of the labels in the order of workload.LABELS, which are the features as well."""
        scores = np.empty((len(texts), len(workload.LABELS)), np.float32)
        for row, (label, score) in zip(scores, self._model.predict(texts), strict=True):
            row[:] = 1 - score
            row[workload.LABELS.index(label)] = score
        return Predictions(scores, scores)
