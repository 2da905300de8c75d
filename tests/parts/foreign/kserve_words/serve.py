"""The model of tests/parts/words.py, which is put beside this file, served by KServe.

Usage: serve.py GRPC_PORT. KServe's own ModelServer listens on all interfaces; this is its gRPC
front on loopback.
"""

import asyncio
import sys

from words import LABELS, predict

port = int(sys.argv[1])
sys.argv[1:] = []  # kserve reads them when it is imported

import kserve  # noqa: E402
from grpc import aio  # noqa: E402
from kserve.protocol.dataplane import DataPlane  # noqa: E402
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import (  # noqa: E402
    add_GRPCInferenceServiceServicer_to_server,
)
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor  # noqa: E402
from kserve.protocol.grpc.servicer import InferenceServicer  # noqa: E402
from kserve.protocol.model_repository_extension import ModelRepositoryExtension  # noqa: E402


class Words(kserve.Model):
    """From `text` BYTES [n, 1] to `scores` FP32 [n, 2] and `value` FP32 [n, 1]."""

    def predict(self, payload: kserve.InferRequest, headers: object = None) -> kserve.InferResponse:
        """All outputs are answered, as typed contents, whichever were asked for."""
        texts = [bytes(text).decode() for text in payload.inputs[0].as_numpy().flatten()]
        scores, values = predict(texts)
        outputs = [
            _output("scores", [len(texts), len(LABELS)], scores),
            _output("value", [len(texts), 1], values),
        ]
        return kserve.InferResponse(payload.id, self.name, outputs)


def _output(name: str, shape: list[int], data: list[float]) -> kserve.InferOutput:
    return kserve.InferOutput(name=name, shape=shape, datatype="FP32", data=data)


async def serve() -> None:
    """Until it is killed."""
    model = Words("words")
    model.load()
    models = kserve.ModelRepository()
    models.update(model)
    server = aio.server(
        interceptors=(ExceptionToStatusInterceptor(),), options=[("grpc.so_reuseport", 0)]
    )
    servicer = InferenceServicer(DataPlane(model_registry=models), ModelRepositoryExtension(models))
    add_GRPCInferenceServiceServicer_to_server(servicer, server)
    if not server.add_insecure_port(f"127.0.0.1:{port}"):
        sys.exit(f"port {port} is taken")
    await server.start()
    await server.wait_for_termination()


asyncio.run(serve())
