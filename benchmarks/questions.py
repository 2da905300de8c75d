"""One text, asked in each of the ways that are measured, and the answer as label and confidence."""

import json
import struct
from typing import NamedTuple

import grpc
import httpx
import numpy as np
from predict.v1.prediction_service_pb2 import PredictRequest, PredictResponse
from tritonclient.grpc.service_pb2 import ModelInferRequest, ModelInferResponse

from modelkit.values import model_folder, read_values

MODEL = "sentiment"
PREDICT = "/predict.v1.PredictionService/Predict"
INFER = "/inference.GRPCInferenceService/ModelInfer"
OUTPUTS = ("scores", "features", "value")
"""All that the model has."""
LABELS = read_values(model_folder(MODEL)).labels
_TIMEOUT_S = 20
_TOLERANCE = 1e-3


class WrongAnswerError(Exception):
    """Somebody does not say what the model says."""


class Verdict(NamedTuple):
    """What an answer comes down to."""

    label: str
    confidence: float


def predict_message(text: str, *, model: str = MODEL) -> bytes:
    """Asks the gateway by gRPC."""
    return PredictRequest(model=model, text=text).SerializeToString()


def infer_message(text: str) -> bytes:
    """Asks Triton by gRPC, for all outputs of the model."""
    raw = text.encode()
    request = ModelInferRequest(
        model_name=MODEL, raw_input_contents=[struct.pack("<I", len(raw)) + raw]
    )
    request.inputs.add(name="text", datatype="BYTES", shape=[1, 1])
    for output in OUTPUTS:
        request.outputs.add(name=output)
    return bytes(request.SerializeToString())


def read_predict(reply: bytes) -> Verdict:
    """What the gateway answered by gRPC."""
    output = PredictResponse.FromString(reply).prediction.output
    return Verdict(output.label, output.confidence)


def read_infer(reply: bytes) -> Verdict:
    """What Triton answered."""
    response = ModelInferResponse.FromString(reply)
    tensors = dict(
        zip((o.name for o in response.outputs), response.raw_output_contents, strict=True)
    )
    scores = np.frombuffer(tensors["scores"], np.float32)
    return Verdict(LABELS[int(scores.argmax())], float(scores.max()))


def read_rest(reply: bytes) -> Verdict:
    """What the gateway answered by REST, or FastAPI."""
    answer = json.loads(reply)
    output = answer.get("output", answer)
    return Verdict(output["label"], output["confidence"])


def ask_grpc(address: str, path: str, message: bytes) -> bytes:
    """Call once. address: host:port, or unix: and a path. Raises grpc.RpcError."""
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(path, lambda raw: raw, lambda raw: raw)
        return call(message, timeout=_TIMEOUT_S, wait_for_ready=True)


def ask_rest(url: str, text: str) -> bytes:
    """Post once. Raises httpx.HTTPError, also for anything but 2xx."""
    return httpx.post(url, json={"text": text}, timeout=_TIMEOUT_S).raise_for_status().content


def agree(who: str, said: Verdict, meant: Verdict) -> None:
    """Compare an answer with the model's own. Raises WrongAnswerError."""
    if said.label != meant.label or abs(said.confidence - meant.confidence) > _TOLERANCE:
        raise WrongAnswerError(f"{who} says {said}, its model says {meant}")
