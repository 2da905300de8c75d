"""The same calls for programs that do one thing at a time: releases, the local stack, checks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
import numpy.typing as npt
from tritonclient.grpc.service_pb2 import ModelInferResponse, ServerLiveRequest
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from inference.addresses import Endpoint
from inference.calls import channel_options
from inference.tensors import BadTensor, infer_request, read_outputs

ANSWER_S = 5.0


class InferenceError(Exception):
    """A server refused a call, or answered with what is no tensor; says why."""


class ServerUnavailable(InferenceError):
    """The server does not answer, or not in time."""


def is_live(address: str) -> bool:
    """Whether the server runs: Triton says that it is not ready while it loads a version."""
    try:
        with stub(address) as server:
            live: bool = server.ServerLive(ServerLiveRequest(), timeout=ANSWER_S).live
            return live
    except InferenceError:
        return False


def infer(
    address: str | Endpoint,
    model: str,
    version: str,
    texts: Sequence[str],
    *,
    outputs: Sequence[str] = (),
    timeout_s: float = ANSWER_S,
) -> dict[str, npt.NDArray[Any]]:
    """What a version says of n texts, 1 to 256, by output: as they come, unchecked.

    outputs: the ones wanted; none: all. Raises InferenceError.
    """
    request = infer_request(model, version, texts, outputs)
    with stub(address) as server:
        response: ModelInferResponse = server.ModelInfer(request, timeout=timeout_s)
    try:
        return read_outputs(response)
    except BadTensor as error:
        raise InferenceError(str(error)) from error


@contextmanager
def stub(address: str | Endpoint) -> Iterator[GRPCInferenceServiceStub]:
    """A connection for a few calls, whose errors are ours and name it. Raises InferenceError."""
    endpoint = Endpoint(address) if isinstance(address, str) else address
    options = channel_options(endpoint)
    with grpc.insecure_channel(endpoint.address, options=options) as channel:
        try:
            yield GRPCInferenceServiceStub(channel)
        except grpc.RpcError as error:
            raise _wrap(error, endpoint) from error


def _wrap(error: Any, endpoint: Endpoint) -> InferenceError:
    away = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    kind = ServerUnavailable if away else InferenceError
    return kind(f"{endpoint.address}: {_first_line(error.details() or error.code().name)}")


def _first_line(details: str) -> str:
    """Without the traceback that may follow."""
    return details.partition("\n")[0]
