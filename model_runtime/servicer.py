"""The gRPC door: ModelRuntimeService, asked by the gateway."""

import logging
from typing import NoReturn

import grpc
from grpc_status import rpc_status
from predict.v1.model_runtime_service_pb2 import PredictBatchRequest, PredictBatchResponse
from predict.v1.model_runtime_service_pb2_grpc import ModelRuntimeServiceServicer

from model_runtime.errors import InferenceError, ModelNotFound, to_status
from model_runtime.service import InferenceService

log = logging.getLogger(__name__)

DEFAULT_TIMEOUT_S = 30.0  # for a caller that gives no deadline

Context = grpc.aio.ServicerContext[PredictBatchRequest, PredictBatchResponse]


class ModelRuntimeServicer(ModelRuntimeServiceServicer):
    """gRPC in, gRPC out, nothing else."""

    def __init__(self, *, model: str, service: InferenceService) -> None:
        self._model = model
        self._service = service

    async def PredictBatch(
        self, request: PredictBatchRequest, context: Context
    ) -> PredictBatchResponse:
        """Predicts a batch of texts with one version of the model, all or nothing."""
        try:
            return await self._predict(request, context.time_remaining())
        except InferenceError as exc:
            await _abort(context, exc)
        except Exception:
            log.exception("a batch failed in an unexpected way")
            await _abort(context, InferenceError("an internal error; the log has the details"))

    async def _predict(
        self, request: PredictBatchRequest, time_remaining_s: float | None
    ) -> PredictBatchResponse:
        if request.model != self._model:
            raise ModelNotFound(request.model)
        ids, texts = [], []
        for entry in request.entries:
            ids.append(entry.prediction_id)
            texts.append(entry.text)
        timeout_s = DEFAULT_TIMEOUT_S if time_remaining_s is None else time_remaining_s
        results = await self._service.predict(request.version, ids, texts, timeout_s=timeout_s)
        return PredictBatchResponse(results=results)


async def _abort(context: Context, error: InferenceError) -> NoReturn:
    await context.abort_with_status(rpc_status.to_status(to_status(error)))
    raise AssertionError("abort does not return")
