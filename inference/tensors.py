"""Texts and answers as tensors of the Open Inference Protocol, and the checks of what comes back.

A server may answer with raw bytes, whatever it was asked with, or with typed contents.
Source: https://github.com/kserve/open-inference-protocol, open_inference_grpc.proto
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tritonclient.grpc.service_pb2 import ModelInferRequest, ModelInferResponse

from inference.calls import MAX_REQUEST_TEXT_BYTES

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

TEXT, SCORES, VALUE, FEATURES, ERROR = "text", "scores", "value", "features", "error"

_LENGTH = struct.Struct("<I")
_TYPES: dict[str, tuple[str, str]] = {
    # Data type -> numpy's name of it, and the field of typed contents.
    "FP32": ("<f4", "fp32_contents"),
    "FP64": ("<f8", "fp64_contents"),
    "BOOL": ("?", "bool_contents"),
}


class BadTensor(ValueError):
    """A server answered with something else than it should. The message quotes no text."""


def split_by_size(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """As few calls as their sizes allow; nearly always one."""
    start = size = 0
    for end, text in enumerate(texts):
        length = len(text) if text.isascii() else len(text.encode())
        if end > start and size + length > MAX_REQUEST_TEXT_BYTES:
            yield texts[start:end]
            start, size = end, 0
        size += length
    yield texts[start:]


def infer_request(
    model: str, version: str, texts: Sequence[str], outputs: Sequence[str]
) -> ModelInferRequest:
    """Ask for n >= 1 texts together. outputs: the ones wanted; none: all that there are."""
    encoded = [text.encode() for text in texts]
    raw = b"".join([part for text in encoded for part in (_LENGTH.pack(len(text)), text)])
    request = ModelInferRequest(model_name=model, model_version=version, raw_input_contents=[raw])
    request.inputs.add(name=TEXT, datatype="BYTES", shape=[len(texts), 1])
    for output in outputs:
        request.outputs.add(name=output)
    return request


def read_outputs(response: ModelInferResponse) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a known type, by name, in the shapes that they say. Raises BadTensor."""
    raw = response.raw_output_contents
    if raw and len(raw) != len(response.outputs):
        raise BadTensor(f"{len(raw)} raw contents for {len(response.outputs)} outputs")
    return {
        output.name: _array(output, raw[index] if raw else None)
        for index, output in enumerate(response.outputs)
        if output.datatype in _TYPES
    }


def _array(output: Any, raw: bytes | None) -> npt.NDArray[Any]:
    kind, contents = _TYPES[output.datatype]
    try:
        if raw is not None:
            flat = np.frombuffer(raw, kind)
        else:
            flat = np.array(getattr(output.contents, contents), kind)
        return flat.reshape(output.shape)
    except ValueError as error:
        raise BadTensor(f"{output.name} is not of its shape {list(output.shape)}") from error
