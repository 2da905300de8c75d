"""The format of messages: requests as they come from the queue, answers as the topic takes them."""

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from google.protobuf import json_format
from predict.v1.events_pb2 import InferenceRequested, InferenceResponded
from predict.v1.model_runtime_service_pb2 import RuntimeResult

from model_runtime.claims import Claim
from model_runtime.errors import InferenceError, to_status

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef as Entry


class UndecodableMessage(ValueError):
    """A message that is no request for this model; trying again does not help."""


def requested_id(body: str, *, model: str) -> str:
    """The id of the prediction that a message asks for. Raises UndecodableMessage."""
    try:
        event = json_format.Parse(body, InferenceRequested(), ignore_unknown_fields=True)
        prediction_id = str(UUID(event.prediction_id))
    except (json_format.ParseError, ValueError, RecursionError):
        raise UndecodableMessage("its body is no request") from None
    if event.model != model:
        raise UndecodableMessage("it is for another model")
    return prediction_id


def succeeded(model: str, claim: Claim, result: RuntimeResult) -> InferenceResponded:
    """The event for a text that has an answer."""
    event = _event(model, claim)
    event.output.CopyFrom(result.output)
    event.features_uri = result.features_uri
    return event


def failed(model: str, claim: Claim, error: InferenceError) -> InferenceResponded:
    """The event for a text that will never have one."""
    event = _event(model, claim)
    event.error.CopyFrom(to_status(error))
    return event


def to_entry(event: InferenceResponded) -> "Entry":
    """The entry of an SNS PublishBatch."""
    attributes = {
        "event": "inference_response",
        "action": event.model,
        "version": event.version,
    }
    return {
        "Id": event.event_id,
        "Message": json_format.MessageToJson(event, indent=None),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }


def _event(model: str, claim: Claim) -> InferenceResponded:
    return InferenceResponded(
        event_id=str(uuid4()),
        prediction_id=claim.prediction_id,
        model=model,
        version=claim.version,
        attempt=claim.attempt,
    )
