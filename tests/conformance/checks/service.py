"""Whether the server is there, and what it says of the model."""

import grpc
from tritonclient.grpc.service_pb2 import (
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ServerLiveRequest,
)

from inference.tensors import SCORES, TEXT
from tests.conformance.check import Unfit, check
from tests.conformance.target import Target


@check(
    "live",
    expected="ServerLive says true",
    remedy="start the server, and name its port of gRPC, not that of REST",
    is_gate=True,
)
async def live(target: Target) -> str:
    answer = await target.stub.ServerLive(ServerLiveRequest(), timeout=target.timeout_s)
    if not answer.live:
        raise Unfit("it says that it is not live")
    return "it is live"


@check(
    "model ready",
    expected="ModelReady of the version says true",
    remedy="load the model under this name and version; versions are numbers: 1, 2, 3",
)
async def model_ready(target: Target) -> str:
    request = ModelReadyRequest(name=target.model, version=target.version)
    answer = await target.stub.ModelReady(request, timeout=target.timeout_s)
    if not answer.ready:
        raise Unfit("it says that the version is not ready")
    return "it is ready"


@check(
    "metadata",
    expected="ModelMetadata is answered, or UNIMPLEMENTED; what it declares is what is answered",
    remedy="declare the input text and all outputs by their names, or none of them",
)
async def metadata(target: Target) -> str:
    request = ModelMetadataRequest(name=target.model, version=target.version)
    try:
        answer = await target.stub.ModelMetadata(request, timeout=target.timeout_s)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
            raise
        answer = ModelMetadataResponse()
    inputs = {tensor.name: tensor.datatype for tensor in answer.inputs}
    outputs = [tensor.name for tensor in answer.outputs]
    if inputs and inputs != {TEXT: "BYTES"}:
        raise Unfit(f"its inputs are {', '.join(f'{n} {d}' for n, d in inputs.items())}")
    if not outputs:
        return "it declares no outputs: each call is answered with all that it has"
    if SCORES not in outputs:
        raise Unfit(f"its outputs are {', '.join(outputs)}")
    return f"it declares {', '.join(outputs)}"
