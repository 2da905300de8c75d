"""golden.json: some texts with what the model said of them when it was trained.

Whoever loads the version later replays them, and sees whether it is still the same model.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from modelkit.abstract_model import AbstractModel, Predictions

GOLDEN_FILE = "golden.json"
TOLERANCE = 1e-3
"""How far a number may be off: sums come out a little different on other processors."""

EDGE_TEXTS = (
    "a",
    "…!?",
    "so good " * 2_000,
    "🎉 😀 👍🏽 🇫🇷",
    "很好 и всё хорошо שלום مرحبا नमस्ते",
    "line one\nline two\t\u200bend",
)
HELD_OUT_TEXTS = 10


class GoldenMismatch(Exception):
    """A model does not say what it said when it was trained. The message says how far it is off."""


@dataclass(frozen=True, slots=True)
class Golden:
    """n texts, and what the model said of them."""

    texts: list[str]
    scores: list[list[float]]
    features_size: int | None = None
    """None: whoever wrote the file does not say."""
    value: list[float] | None = None

    @classmethod
    def record(cls, model: AbstractModel, held_out: Sequence[str]) -> "Golden":
        """Ask the model about some of the held-out texts and about unusual ones."""
        texts = [*held_out[:: -(-len(held_out) // HELD_OUT_TEXTS)], *EDGE_TEXTS]
        scores, features, value = model.predict(texts)
        return cls(
            texts=texts,
            scores=scores.tolist(),
            features_size=features.shape[1],
            value=None if value is None else value.tolist(),
        )

    @classmethod
    def read(cls, artifact: Path) -> "Golden":
        """Of an artifact. Raises OSError, ValueError; TypeError if a field is missing."""
        return cls.read_file(artifact / GOLDEN_FILE)

    @classmethod
    def read_file(cls, file: Path) -> "Golden":
        """Raises as `read`."""
        return cls(**json.loads(file.read_text()))

    def write(self, artifact: Path) -> None:
        """Write the file into an artifact."""
        (artifact / GOLDEN_FILE).write_text(json.dumps(asdict(self)) + "\n")

    def check(self, predictions: Predictions) -> None:
        """Compare with predictions of the same texts. Raises GoldenMismatch."""
        size = predictions.features.shape[1]
        if self.features_size is not None and size != self.features_size:
            raise GoldenMismatch(f"features have {size} numbers, not {self.features_size}")
        _check_near("scores", predictions.scores, self.scores)
        if self.value is not None:
            _check_near("value", predictions.value, self.value)


def _check_near(name: str, actual: object, expected: object) -> None:
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected)
    if actual.shape != expected.shape:
        raise GoldenMismatch(f"{name} have the shape {actual.shape}, not {expected.shape}")
    off = float(np.abs(actual - expected).max())
    if not off <= TOLERANCE:  # also for NaN
        raise GoldenMismatch(f"{name} are off by {off:.2g}; {TOLERANCE:g} is allowed")
