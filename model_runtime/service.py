"""The work itself: texts in, the contract's results out. Both doors lead here."""

from collections.abc import Sequence
from typing import Protocol

from predict.v1.model_runtime_service_pb2 import RuntimeResult

from model_runtime.abstract_model import FloatArray
from model_runtime.errors import BatchSizeOutOfRange
from model_runtime.triton import Answer, TritonModel

MAX_BATCH_SIZE = 256


class FeatureSink(Protocol):
    """Where features go: DirectFeatures or FeatureBuffer."""

    async def keep(self, version: str, ids: Sequence[str], features: FloatArray) -> list[str]:
        """Take one row for each id; answers where each lies."""


class InferenceService:
    """Predicts batches with one model and keeps what the model saw in them."""

    def __init__(self, *, triton: TritonModel, features: FeatureSink) -> None:
        self._triton = triton
        self._features = features

    async def predict(
        self, version: str, ids: Sequence[str], texts: Sequence[str], *, timeout_s: float
    ) -> list[RuntimeResult]:
        """One result for each text, in their order, or none at all.

        ids: of the predictions. timeout_s: what is left of the caller's deadline, > 0.
        Raises BatchSizeOutOfRange and what TritonModel.infer raises.
        """
        if not 1 <= len(texts) <= MAX_BATCH_SIZE:
            raise BatchSizeOutOfRange(len(texts), MAX_BATCH_SIZE)
        answer = await self._triton.infer(version, texts, timeout_s=timeout_s)
        places = await self._features.keep(version, ids, answer.features)
        return to_results(answer, places)


def to_results(answer: Answer, places: Sequence[str]) -> list[RuntimeResult]:
    """The contract's messages."""
    best = answer.scores.argmax(axis=1).tolist()
    values = [None] * len(places) if answer.value is None else answer.value.ravel().tolist()
    rows = zip(answer.scores.tolist(), best, values, places, strict=True)
    return [_to_result(answer.labels, *row) for row in rows]


def _to_result(
    labels: Sequence[str], scores: Sequence[float], best: int, value: float | None, place: str
) -> RuntimeResult:
    result = RuntimeResult(features_uri=place)
    output = result.output
    output.label, output.confidence = labels[best], scores[best]
    if value is not None:
        output.value = value
    by_label = output.scores
    for label, score in zip(labels, scores, strict=True):
        by_label[label] = score
    return result
