"""What the worker says of a request, as an event."""

from uuid import uuid4

from predict.events.v1.events_pb2 import InferenceResponded

from contract.errors import PredictError
from contract.status import to_status
from inference.output import Output
from model_runtime.claims import Claim


def succeeded(model: str, claim: Claim, output: Output, features_uri: str) -> InferenceResponded:
    """The event for a text that has an answer. features_uri: "" if there are no features."""
    event = _event(model, claim)
    output.write_to(event.output)
    event.features_uri = features_uri
    return event


def failed(model: str, claim: Claim, error: PredictError) -> InferenceResponded:
    """The event for a text that will never have one."""
    event = _event(model, claim)
    event.error.CopyFrom(to_status(error))
    return event


def instead_of(event: InferenceResponded, error: PredictError) -> InferenceResponded:
    """The event of the same claim that says why there is no answer after all."""
    other = InferenceResponded()
    other.CopyFrom(event)
    other.event_id = str(uuid4())
    other.features_uri = ""
    other.error.CopyFrom(to_status(error))
    return other


def _event(model: str, claim: Claim) -> InferenceResponded:
    return InferenceResponded(
        event_id=str(uuid4()),
        prediction_id=claim.prediction_id,
        model=model,
        version=claim.version,
        claim_token=claim.token,
    )
