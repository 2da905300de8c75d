"""How predictions are shown: a line each for people, or a JSON object each for programs."""

import json
from typing import Any, TypeAlias

from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status
from predict.v1.prediction_pb2 import Prediction, PredictionState
from rich.text import Text

from contract.status import error_info

_WIDTH = 60
"""How much of a text is shown, in characters."""

Outcome: TypeAlias = "Prediction | Status"
"""What became of a text; a Status where there is no prediction at all."""


def has_failed(outcome: Outcome) -> bool:
    """Whether there is and will be no answer of a model."""
    return isinstance(outcome, Status) or outcome.state not in (
        PredictionState.PREDICTION_STATE_SUCCEEDED,
        PredictionState.PREDICTION_STATE_ACCEPTED,
        PredictionState.PREDICTION_STATE_RUNNING,
    )


def as_line(text: str, outcome: Outcome) -> Text:
    """Label, confidence, the model's number and the text; or what else became of it."""
    start = text.replace("\n", " ")
    start = start if len(start) <= _WIDTH else start[: _WIDTH - 1] + "…"
    if isinstance(outcome, Status):
        return Text.assemble(
            (f"{error_info(outcome).reason}: {outcome.message}", "red"), f"  {start}"
        )
    if not outcome.HasField("output"):
        colour = "red" if has_failed(outcome) else "yellow"
        return Text.assemble((_state(outcome), colour), f"  {outcome.id}  {start}")
    output = outcome.output
    value = f"{output.value:+.2f}" if output.HasField("value") else ""
    label = (f"{output.label:<16}", "bold")
    return Text.assemble(label, f" {output.confidence:.2f}  {value:<6} {start}")


def as_json(text: str, outcome: Outcome) -> str:
    """The Prediction as REST answers it; or {"text", "error"}."""
    fields: dict[str, Any] = MessageToDict(outcome, always_print_fields_with_no_presence=True)
    if isinstance(outcome, Status):
        fields = {"text": text, "error": MessageToDict(outcome)}
    return json.dumps(fields, ensure_ascii=False)


def _state(prediction: Prediction) -> str:
    return PredictionState.Name(prediction.state).removeprefix("PREDICTION_STATE_")
