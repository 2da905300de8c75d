"""A runtime that asks Triton and does no more: `python -m benchmarks.bare.runtime`.

It serves on BENCH_RUNTIME and asks BENCH_TRITON, for the same outputs as the model runtime does.
"""

import os

import grpc
import uvloop
from predict.v1.model_runtime_service_pb2 import PredictBatchRequest, PredictBatchResponse
from predict.v1.model_runtime_service_pb2_grpc import (
    ModelRuntimeServiceServicer,
    add_ModelRuntimeServiceServicer_to_server,
)

from benchmarks.questions import MODEL
from model_runtime.server import OPTIONS
from model_runtime.triton import TritonModel

_TIMEOUT_S = 10

Context = grpc.aio.ServicerContext[PredictBatchRequest, PredictBatchResponse]


class Servicer(ModelRuntimeServiceServicer):
    """Answers with the label and its confidence."""

    def __init__(self, triton: TritonModel) -> None:
        self._triton = triton

    async def PredictBatch(
        self, request: PredictBatchRequest, context: Context
    ) -> PredictBatchResponse:
        """Predict a batch of texts."""
        texts = [entry.text for entry in request.entries]
        answer = await self._triton.infer(request.version, texts, timeout_s=_TIMEOUT_S)
        response = PredictBatchResponse()
        for best, confidence in zip(
            answer.scores.argmax(axis=1).tolist(), answer.scores.max(axis=1).tolist(), strict=True
        ):
            output = response.results.add().output
            output.label, output.confidence = answer.labels[best], confidence
        return response


async def serve() -> None:
    """Serve until the process is ended."""
    async with TritonModel(address=os.environ["BENCH_TRITON"], model=MODEL) as triton:
        server = grpc.aio.server(options=OPTIONS)
        add_ModelRuntimeServiceServicer_to_server(Servicer(triton), server)
        server.add_insecure_port(os.environ["BENCH_RUNTIME"])
        await server.start()
        await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve())
