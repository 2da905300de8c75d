"""What a model is: the one class that a model's folder imports from the platform.

A trained model is a folder of `weights.safetensors` (its arrays) and `model.json` (what it
declares). Nothing in it is executed when it is read: no pickle.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Progress = Callable[[float], None]
"""Told from time to time which share of the work is done, 0 to 1."""

WEIGHTS_FILE = "weights.safetensors"
MANIFEST_FILE = "model.json"


@dataclass(frozen=True, slots=True)
class Example:
    """One text with its mean human rating, -4 (most negative) to 4 (most positive).

    The id is `<domain>-<number>`; the domain says where the text comes from.
    """

    id: str
    rating: float
    text: str

    @property
    def domain(self) -> str:
        """The part of the id before its last dash."""
        return self.id.rpartition("-")[0]


class Predictions(NamedTuple):
    """What a model says of n texts, in their order."""

    scores: FloatArray
    """(n, labels): each row 0 to 1, adding up to 1."""
    features: FloatArray
    """(n, feature_size): what the model saw in the text, for monitoring."""
    value: FloatArray | None
    """(n,): the model's own number, or None for a model that only labels."""


class AbstractModel(ABC):
    """A text model. Subclasses are called `Model`, in the `model.py` of the model's folder."""

    labels: ClassVar[tuple[str, ...]]
    """The labels, in the order of the scores."""
    feature_size: ClassVar[int]
    """Numbers in a text's feature vector."""
    has_value: ClassVar[bool] = False
    """Whether predictions carry a value."""

    @abstractmethod
    def predict(self, texts: Sequence[str]) -> Predictions:
        """Predict n >= 1 texts. The answer for a text does not depend on its neighbours."""

    @abstractmethod
    def train(self, examples: Sequence[Example], *, seed: int, progress: Progress) -> None:
        """Learn from the examples, from scratch; the same seed gives the same weights."""

    @abstractmethod
    def eval(self, examples: Sequence[Example]) -> dict[str, float]:
        """Metrics on examples the model has not seen, such as {"f1_macro": 0.8}."""

    @abstractmethod
    def weights(self) -> dict[str, npt.NDArray[Any]]:
        """All that training made, by name."""

    @abstractmethod
    def set_weights(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        """Take what `weights` gave; predictions are then the same."""

    def save(self, directory: Path) -> None:
        """Write the weights and the manifest into an existing folder."""
        from safetensors.numpy import save_file

        save_file(self.weights(), directory / WEIGHTS_FILE)
        manifest = {
            "class": f"{type(self).__module__}:{type(self).__qualname__}",
            "labels": self.labels,
            "feature_size": self.feature_size,
            "has_value": self.has_value,
        }
        (directory / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote."""
        from safetensors.numpy import load_file

        model = cls()
        model.set_weights(load_file(directory / WEIGHTS_FILE))
        return model
