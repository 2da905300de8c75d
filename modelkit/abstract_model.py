"""What a model is: the one class that a model's folder imports from the platform.

A trained model is a folder of `weights.safetensors` (its arrays) and `model.json` (what it
declares). Nothing in it is executed when it is read: no pickle.
"""

import json
import math
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
    """One text with what people said of it: a number, a label, or both; of a prediction, a label.

    The id is `<domain>-<number>`; the domain says where the text comes from: `labelled`, if from
    traffic.
    """

    id: str
    text: str
    rating: float = math.nan
    """The mean of the ratings, such as -4 (most negative) to 4 (most positive); or NaN."""
    label: str = ""
    """Or empty."""

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
    value: FloatArray | None = None
    """(n,): the model's own number, or None for a model that only labels."""


class AbstractModel(ABC):
    """A text model. Subclasses are called `Model`, in the `model.py` of the model's folder.

    A second architecture of the same model is a `Model` in another file of that folder.
    """

    labels: ClassVar[tuple[str, ...]]
    """The labels, in the order of the scores."""
    feature_size: ClassVar[int]
    """Numbers in a text's feature vector."""
    has_value: ClassVar[bool] = False
    """Whether predictions carry a value."""
    primary_metric: ClassVar[str] = "f1_macro"
    """The metric of `eval`, larger is better, that decides which of two versions is better."""

    def __init__(self, *, device: str = "cpu") -> None:
        """device: where the model computes, as torch names it: "cpu", "cuda:0"."""
        self.device = device

    @abstractmethod
    def predict(self, texts: Sequence[str]) -> Predictions:
        """Predict n >= 1 texts. The answer for a text does not depend on its neighbours."""

    @abstractmethod
    def train(self, examples: Sequence[Example], *, seed: int, progress: Progress) -> None:
        """Learn from the examples, from scratch; the same seed gives the same weights."""

    @abstractmethod
    def weights(self) -> dict[str, npt.NDArray[Any]]:
        """All that training made, by name."""

    @abstractmethod
    def set_weights(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        """Take what `weights` gave; predictions are then the same."""

    def truth(self, example: Example) -> str:
        """The label that an example ought to get, one of `labels`: its own, where it has one."""
        return example.label

    def eval(self, examples: Sequence[Example], predictions: Predictions) -> dict[str, float]:
        """Metrics of what `predict` said of these n >= 1 examples, in their order.

        accuracy; f1_macro, the mean of the F1 scores of the labels that occur in the truth;
        f1_weighted, the same weighted by how often they occur.
        """
        truth = np.array([self.labels.index(self.truth(example)) for example in examples])
        answers = predictions.scores.argmax(axis=1)
        found, counts = np.unique(truth, return_counts=True)
        f1 = [
            2 * np.sum((truth == label) & (answers == label)) / (count + np.sum(answers == label))
            for label, count in zip(found, counts, strict=True)
        ]
        return {
            "accuracy": float(np.mean(truth == answers)),
            "f1_macro": float(np.mean(f1)),
            "f1_weighted": float(np.average(f1, weights=counts)),
        }

    def save(self, directory: Path) -> None:
        """Write the weights and the manifest into an existing folder."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(array) for name, array in self.weights().items()}
        save_file(arrays, directory / WEIGHTS_FILE)
        (directory / MANIFEST_FILE).write_text(json.dumps(self.manifest(), indent=2) + "\n")

    @classmethod
    def manifest(cls) -> dict[str, Any]:
        """What the platform is told of the model: its class, its labels and its tensors."""
        outputs = {"scores": len(cls.labels), "features": cls.feature_size}
        if cls.has_value:
            outputs["value"] = 1
        return {
            "class": f"{cls.__module__}:{cls.__qualname__}",
            "labels": cls.labels,
            "inputs": [{"name": "text", "type": "string", "shape": [-1, 1]}],
            "outputs": [
                {"name": name, "type": "float32", "shape": [-1, size]}
                for name, size in outputs.items()
            ],
        }

    @classmethod
    def load(cls, directory: Path, *, device: str = "cpu") -> Self:
        """Read what `save` wrote."""
        from safetensors.numpy import load_file

        model = cls(device=device)
        model.set_weights(load_file(directory / WEIGHTS_FILE))
        return model
