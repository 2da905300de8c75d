"""What a model says of one text, inside the mesh; for clients and the bus it becomes a message."""

from typing import NamedTuple

from predict.v1.prediction_pb2 import PredictionOutput


class Output(NamedTuple):
    """The answer to a text."""

    label: str
    """The one of the highest score."""
    confidence: float
    """Its score."""
    scores: dict[str, float]
    """Of all labels: shares of 1."""
    value: float | None = None
    """None where the model has no number."""

    def write_to(self, message: PredictionOutput) -> None:
        """Fill an empty message, field by field: each answer passes here."""
        message.label = self.label
        message.confidence = self.confidence
        if self.value is not None:
            message.value = self.value
        scores = message.scores
        for label, score in self.scores.items():
            scores[label] = score
