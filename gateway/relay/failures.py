"""Why the relay gives a request up: errors of FAILED predictions that no model gave."""

from google.protobuf import json_format
from predict.v1.error_reason_pb2 import ErrorReason

from gateway.errors import PredictError, to_status


class AttemptsExhausted(PredictError):
    """The work was tried as often as is allowed, without an answer."""

    reason = ErrorReason.ERROR_REASON_ATTEMPTS_EXHAUSTED

    def __init__(self, attempts: int) -> None:
        super().__init__(f"no answer after {attempts} attempts", attempts=attempts)


class Unpublishable(PredictError):
    """The bus does not take the request."""

    def __init__(self) -> None:
        super().__init__("the request could not be handed to its model")


def to_json(error: PredictError) -> str:
    """A google.rpc.Status as Protobuf JSON, as requests.error holds it."""
    return json_format.MessageToJson(to_status(error), indent=None)
