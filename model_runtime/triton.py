"""One model on a Triton server: asked in batches, by gRPC, with raw tensors."""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from model_runtime.abstract_model import FloatArray
from model_runtime.errors import (
    DeadlineExceeded,
    InferenceError,
    ModelFailed,
    ModelUnavailable,
    VersionNotFound,
)

CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A Triton that was restarted is found again at once, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
CONTROL_TIMEOUT_S = 5.0
PROBE_TEXT = "ready?"


class Declaration(NamedTuple):
    """What a version's configuration declares."""

    labels: tuple[str, ...]
    has_value: bool


class Answer(NamedTuple):
    """What the model says of n texts, in their order."""

    labels: tuple[str, ...]
    scores: FloatArray
    """(n, labels): each row 0 to 1, adding up to 1."""
    features: FloatArray
    """(n, d): d may differ between versions."""
    value: FloatArray | None
    """(n, 1), or None for a model that only labels."""


class TritonModel:
    """Calls one model; open with `async with`."""

    def __init__(self, *, address: str, model: str) -> None:
        self.model = model
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._declarations: dict[str, Declaration] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def infer(self, version: str, texts: Sequence[str], *, timeout_s: float) -> Answer:
        """Have 1 to 256 texts predicted together.

        Raises VersionNotFound, ModelUnavailable (retryable), ModelFailed, DeadlineExceeded.
        """
        if not version.isdecimal():
            raise VersionNotFound(self.model, version)
        try:
            declared = self._declarations.get(version) or await self._declare(version)
            request = _request(self.model, version, texts, has_value=declared.has_value)
            response = await self._stub.ModelInfer(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as exc:
            raise self._wrap(exc, version) from exc
        tensors = _tensors(response)
        return Answer(declared.labels, tensors["scores"], tensors["features"], tensors.get("value"))

    async def check(self) -> None:
        """Return if every version that was asked for answers; else raise ModelUnavailable.

        Before the first one is asked for, one that answers is enough: a version that a release is
        still trying out may be dead beside those that serve.
        """
        loaded = await self._loaded_versions()
        if asked_for := self._declarations.keys() & loaded:
            for version in asked_for:
                await self.check_version(version)
            return
        for version in loaded:
            if await self._answers(version):
                return
        raise ModelUnavailable(self.model)

    async def check_version(self, version: str) -> None:
        """Return if this version answers or is gone; else raise ModelUnavailable."""
        if not await self._answers(version) and version in await self._loaded_versions():
            raise ModelUnavailable(self.model)

    async def _answers(self, version: str) -> bool:
        """Whether it predicts. Triton 2.51 calls a model ready whose process is dead."""
        request = _request(self.model, version, [PROBE_TEXT], has_value=False)
        try:
            await self._stub.ModelInfer(request, timeout=CONTROL_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return False
        return True

    async def _loaded_versions(self) -> list[str]:
        """At least one. Raises ModelUnavailable."""
        request = service_pb2.RepositoryIndexRequest(ready=True)
        try:
            index = await self._stub.RepositoryIndex(request, timeout=CONTROL_TIMEOUT_S)
        except grpc.aio.AioRpcError as exc:
            raise ModelUnavailable(self.model) from exc
        versions = [entry.version for entry in index.models if entry.name == self.model]
        if not versions:
            raise ModelUnavailable(self.model)
        return versions

    async def _declare(self, version: str) -> Declaration:
        request = service_pb2.ModelConfigRequest(name=self.model, version=version)
        response = await self._stub.ModelConfig(request, timeout=CONTROL_TIMEOUT_S)
        config = response.config
        declared = Declaration(
            labels=tuple(json.loads(config.parameters["labels"].string_value)),
            has_value=any(output.name == "value" for output in config.output),
        )
        self._declarations[version] = declared
        return declared

    def _wrap(self, exc: grpc.aio.AioRpcError, version: str) -> InferenceError:
        match exc.code():
            case grpc.StatusCode.NOT_FOUND:
                return VersionNotFound(self.model, version)
            case grpc.StatusCode.INVALID_ARGUMENT:  # see triton_repo/python_model.py
                return ModelFailed(self.model)
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return DeadlineExceeded()
            case _:
                return ModelUnavailable(self.model)


def _request(
    model: str, version: str, texts: Sequence[str], *, has_value: bool
) -> service_pb2.ModelInferRequest:
    request = service_pb2.ModelInferRequest(
        model_name=model, model_version=version, raw_input_contents=[_string_tensor(texts)]
    )
    request.inputs.add(name="text", datatype="BYTES", shape=[len(texts), 1])
    for output in ("scores", "features", "value") if has_value else ("scores", "features"):
        request.outputs.add(name=output)
    return request


def _string_tensor(texts: Sequence[str]) -> bytes:
    """Each text's length, little endian, and its UTF-8 bytes. Source: Triton, BYTES tensors."""
    encoded = [text.encode() for text in texts]
    return b"".join(part for raw in encoded for part in (struct.pack("<I", len(raw)), raw))


def _tensors(response: service_pb2.ModelInferResponse) -> Mapping[str, FloatArray]:
    return {
        output.name: np.frombuffer(raw, np.float32).reshape(output.shape)
        for output, raw in zip(response.outputs, response.raw_output_contents, strict=True)
    }
