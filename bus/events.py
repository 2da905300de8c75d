"""The format of messages: events of predict.events.v1 as SNS entries, and SQS messages as events.

The body is Protobuf JSON; the attributes repeat what the bus filters on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from google.protobuf import json_format
from predict.events.v1.events_pb2 import (
    AlertChanged,
    InferenceRequested,
    InferenceResponded,
    JobCompleted,
)

from bus.errors import UndecodableMessage
from contract.status import DETAIL_TYPES

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef as SnsAttribute
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef as Entry
    from mypy_boto3_sqs.type_defs import MessageTypeDef as Message

Event = InferenceRequested | InferenceResponded | JobCompleted | AlertChanged

REQUEST = "inference_request"
RESPONSE = "inference_response"
COMPLETED = "job_completed"
ALERT = "alert_changed"

_TYPES: dict[str, type[Event]] = {
    REQUEST: InferenceRequested,
    RESPONSE: InferenceResponded,
    COMPLETED: JobCompleted,
    ALERT: AlertChanged,
}
EVENTS = tuple(_TYPES)
"""The names of all."""
_NAMES = {kind: name for name, kind in _TYPES.items()}
# json_format finds the types of an error's details among the imported messages.
_DETAIL_TYPES = DETAIL_TYPES


@dataclass(frozen=True)
class Envelope:
    """An event that is already Protobuf JSON, as the outbox holds it."""

    id: str
    """A UUID; also what publishing is reported by."""
    event: str
    model: str
    version: str
    """Empty where the event is of several versions."""
    body: str
    traceparent: str | None = None
    """The W3C trace that it belongs to."""
    links: Sequence[str] = ()
    """traceparents of others that it belongs to as well."""
    prediction_id: str | None = None
    """Of an event of one prediction."""


def to_envelope(event: Event, *, traceparent: str | None = None) -> Envelope:
    """An event that has its event_id."""
    return Envelope(
        id=event.event_id,
        event=_NAMES[type(event)],
        model=event.model,
        version="" if isinstance(event, JobCompleted) else event.version,
        body=json_format.MessageToJson(event, indent=None),
        traceparent=traceparent,
        prediction_id=event.prediction_id if isinstance(event, InferenceResponded) else None,
    )


def to_entry(envelope: Envelope) -> "Entry":
    """The entry of an SNS PublishBatch."""
    attributes = {
        "event": envelope.event,
        "action": envelope.model,
        "version": envelope.version,
        "traceparent": envelope.traceparent,
    }
    return {
        "Id": envelope.id,
        "Message": envelope.body,
        # An attribute may not be empty.
        "MessageAttributes": {name: _text(value) for name, value in attributes.items() if value},
    }


def from_message(message: "Message") -> Event:
    """The event of an SQS message that came from the topic by raw delivery.

    Fields that this version does not know are passed over: a newer publisher may send them.
    Raises UndecodableMessage.
    """
    attributes = message.get("MessageAttributes", {})
    name = attributes["event"].get("StringValue", "") if "event" in attributes else ""
    if name not in _TYPES:
        raise UndecodableMessage("its attribute 'event' names no event")
    try:
        event = json_format.Parse(message["Body"], _TYPES[name](), ignore_unknown_fields=True)
    except (json_format.ParseError, UnicodeError, RecursionError):
        raise UndecodableMessage(f"its body is no {name}") from None
    # PostgreSQL cannot hold it, and no text of an event has a use for it.
    if "\\u0000" in message["Body"] or "\0" in message["Body"]:
        raise UndecodableMessage("its body holds a NUL")
    return event


def requested_id(message: "Message", *, model: str) -> str:
    """The id of the prediction that a message asks a model for. Raises UndecodableMessage."""
    event = from_message(message)
    if not isinstance(event, InferenceRequested) or event.model != model:
        raise UndecodableMessage("it is no request to this model")
    if not is_uuid(event.prediction_id):
        raise UndecodableMessage("its prediction_id is no UUID")
    return event.prediction_id


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in the canonical form."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _text(value: str) -> "SnsAttribute":
    return {"DataType": "String", "StringValue": value}
