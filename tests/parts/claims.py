"""Claims that no database handed out, and what a worker answers to claims."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from predict.events.v1.events_pb2 import InferenceResponded

from bus.events import to_envelope
from contract.errors import ModelFailed
from contract.ids import uuid7
from features.places import place_prefix
from inference.output import Output
from model_runtime.claims import Claim
from model_runtime.responding import failed, succeeded

LABELS: Mapping[str, Sequence[str]] = {
    "sentiment": ("negative", "neutral", "positive"),
    "genre": ("news", "review"),
}
_FILE_ID = "0199f2d0-0000-7000-8000-000000000000"
OUTPUTS = {
    "sentiment": Output(
        label="positive",
        confidence=0.7,
        scores={"negative": 0.1, "neutral": 0.2, "positive": 0.7},
        value=0.6,
    ),
    "genre": Output(label="news", confidence=0.9, scores={"news": 0.9, "review": 0.1}),
}


def place(model: str = "sentiment", version: str = "1") -> str:
    """Where features of a version lie."""
    return place_prefix("predict-features", model, version, _FILE_ID) + "3"


def invented_claim(*, prediction_id: str = "", token: str = "") -> Claim:
    """One that looks like any other."""
    return Claim(
        prediction_id=prediction_id or uuid7(),
        version="1",
        token=token or str(uuid4()),
        text="a text",
        labels=LABELS["sentiment"],
        address="unused:1",
    )


def answer(claim: Claim, *, model: str = "sentiment") -> InferenceResponded:
    """A good answer."""
    return succeeded(model, claim, OUTPUTS[model], place(model, claim.version))


def error_answer(claim: Claim, *, model: str = "sentiment") -> InferenceResponded:
    """An answer that says why there is no output."""
    return failed(model, claim, ModelFailed(model))


def to_body(event: InferenceResponded, **changes: Any) -> dict[str, Any]:
    """The Protobuf JSON that is published, with other fields than a worker gives; None: without."""
    body = {**json.loads(to_envelope(event).body), **changes}
    return {name: value for name, value in body.items() if value is not None}
