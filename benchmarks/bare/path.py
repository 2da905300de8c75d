"""The request path of the floor: two batchers and what they call."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import orjson
from predict.v1.prediction_service_pb2 import PredictRequest, PredictResponse
from tritonclient.grpc.service_pb2 import ModelInferRequest, ModelInferResponse

from benchmarks.questions import LABELS, MODEL, OUTPUTS
from contract.ids import uuid7
from gateway.batching import Batcher
from gateway.settings import Settings
from gateway.store.hot_statement import HotStatement
from inference.tensors import SCORES, infer_request, read_outputs

Row = dict[str, str | float | dict[str, float]]

_MAX_ROWS = 512
_TIME = datetime.now(UTC).isoformat()  # one for all


class Best(NamedTuple):
    """Of one text."""

    label: str
    confidence: float


class Path:
    """From a PredictRequest to a PredictResponse."""

    def __init__(
        self,
        infer: Callable[[ModelInferRequest], Awaitable[ModelInferResponse]],
        insert: HotStatement,
        *,
        version: str,
    ) -> None:
        self._infer = infer
        self._insert = insert
        self._version = version
        settings = Settings()
        self._texts = Batcher[str, Best](
            self._ask,
            max_batch=settings.max_batch,
            max_waiting=settings.max_waiting,
        )
        self._rows = Batcher[Row, bool](
            self._record, max_batch=_MAX_ROWS, max_waiting=settings.max_waiting
        )

    async def predict(self, message: bytes) -> bytes:
        """Answer once the row is committed."""
        text = PredictRequest.FromString(message).text
        best = await self._texts.submit(text)
        prediction_id = uuid7()
        await self._rows.submit(
            {
                "id": prediction_id,
                "model": MODEL,
                "version": self._version,
                "text": text,
                "create_time": _TIME,
                "complete_time": _TIME,
                "label": best.label,
                "confidence": best.confidence,
                "scores": {},
                "features_uri": "",
            }
        )
        response = PredictResponse()
        prediction = response.prediction
        prediction.id, prediction.text = prediction_id, text
        prediction.output.label, prediction.output.confidence = best
        return response.SerializeToString()

    async def _ask(self, texts: list[str]) -> Sequence[Best]:
        response = await self._infer(infer_request(MODEL, self._version, texts, OUTPUTS))
        scores = read_outputs(response)[SCORES]
        best, confidence = scores.argmax(axis=1).tolist(), scores.max(axis=1).tolist()
        return [Best(LABELS[i], c) for i, c in zip(best, confidence, strict=True)]

    async def _record(self, rows: list[Row]) -> Sequence[bool]:
        await self._insert.execute(orjson.dumps(rows))
        return [True] * len(rows)
