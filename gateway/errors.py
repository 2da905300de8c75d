"""Why a call is refused: each error with its gRPC code and its stable reason.

Inner code raises these and never touches a gRPC context; `to_status` turns any exception into
what the client sees, and what is not one of ours becomes INTERNAL with a fixed text.
"""

import logging

import psycopg
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from predict.v1.error_reason_pb2 import ErrorReason
from psycopg_pool import PoolTimeout

log = logging.getLogger(__name__)

DOMAIN = "predict.v1"
_INTERNAL = "an internal error; the log of the gateway has the details"


class PredictError(Exception):
    """An error that the client may see.

    metadata: every part of the message that varies; "field" in it also makes a BadRequest.
    """

    code = StatusCode.INTERNAL
    reason = ErrorReason.ERROR_REASON_INTERNAL
    retry_delay_s: float | None = None

    def __init__(self, message: str, **metadata: object) -> None:
        super().__init__(message)
        self.metadata = {name: str(value) for name, value in metadata.items()}


class InvalidArgument(PredictError):
    """A field of the request has a value that no call could accept."""

    code = StatusCode.INVALID_ARGUMENT

    def __init__(self, reason: ErrorReason, field: str, message: str, **metadata: object) -> None:
        super().__init__(f"{field}: {message}", field=field, **metadata)
        self.reason = reason
        self.description = message


class MalformedMessage(PredictError):
    """The request is no message of its type."""

    code = StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_MALFORMED_MESSAGE

    def __init__(self) -> None:
        super().__init__("the message cannot be decoded")


class MessageTooLarge(PredictError):
    """The request is larger than any request needs to be."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_MESSAGE_TOO_LARGE

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the message is larger than {max_bytes} bytes", max_bytes=max_bytes)


class MethodNotFound(PredictError):
    """No rpc has this path, or the request does not fit its kind."""

    code = StatusCode.UNIMPLEMENTED
    reason = ErrorReason.ERROR_REASON_PATH_NOT_FOUND

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no rpc {path} for this request", path=path)


class ShuttingDown(PredictError):
    """The gateway is being stopped; another one, or this one started again, will answer."""

    code = StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_SHUTTING_DOWN
    retry_delay_s = 1.0

    def __init__(self) -> None:
        super().__init__("the gateway is shutting down; try again")


class ModelNotFound(PredictError):
    """No model of this id is registered."""

    code = StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_MODEL_NOT_FOUND

    def __init__(self, model: str) -> None:
        super().__init__(f"there is no model {model!r}", model=model)


class VersionNotFound(PredictError):
    """The model has no such version, or it is not loaded."""

    code = StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_VERSION_NOT_FOUND

    def __init__(self, model: str, version: str) -> None:
        super().__init__(
            f"model {model!r} has no version {version!r}", model=model, version=version
        )


class VersionNotServing(PredictError):
    """Traffic was to go to a version that is not released, or not any more."""

    code = StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_VERSION_NOT_SERVING

    def __init__(self, model: str, version: str) -> None:
        super().__init__(
            f"version {version!r} of model {model!r} does not serve; release it first",
            model=model,
            version=version,
        )


class ModelNotReleased(PredictError):
    """The model has no traffic policy yet."""

    code = StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_MODEL_NOT_RELEASED

    def __init__(self, model: str) -> None:
        super().__init__(f"no version of model {model!r} is released", model=model)


class ModelUnavailable(PredictError):
    """The runtime of the model, or its Triton, does not answer."""

    code = StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE
    retry_delay_s = 1.0

    def __init__(self, model: str) -> None:
        super().__init__(f"model {model!r} does not answer; try again", model=model)


class ModelFailed(PredictError):
    """The model cannot process the text; trying again does not help."""

    reason = ErrorReason.ERROR_REASON_MODEL_FAILED

    def __init__(self, model: str) -> None:
        super().__init__(f"model {model!r} could not process the text", model=model)


class PredictionNotFound(PredictError):
    """No prediction has this id."""

    code = StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_PREDICTION_NOT_FOUND

    def __init__(self, prediction: str) -> None:
        super().__init__(f"there is no prediction {prediction!r}", prediction=prediction)


class PredictionFinished(PredictError):
    """The prediction is in a terminal state that the call cannot use."""

    code = StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_PREDICTION_FINISHED

    def __init__(self, prediction: str, state: str) -> None:
        super().__init__(
            f"prediction {prediction!r} is {state}", prediction=prediction, state=state
        )


class PredictionFailed(PredictError):
    """The prediction that a request_id stands for has failed before."""

    def __init__(self, error: status_pb2.Status) -> None:
        super().__init__(error.message)
        self.error = error


class RequestIdReused(PredictError):
    """The request_id stands for another model or text."""

    code = StatusCode.ALREADY_EXISTS
    reason = ErrorReason.ERROR_REASON_REQUEST_ID_REUSED

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request_id {request_id} was used for another model or text", request_id=request_id
        )


class Overloaded(PredictError):
    """More work is waiting than can be done in useful time."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_OVERLOADED
    retry_delay_s = 0.5

    def __init__(self) -> None:
        super().__init__("too much work is waiting; try again later")


class DeadlineExceeded(PredictError):
    """The caller's deadline, or the longest that a call may take, passed."""

    code = StatusCode.DEADLINE_EXCEEDED
    reason = ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED

    def __init__(self) -> None:
        super().__init__("the deadline passed before there was an answer")


class StoreUnavailable(PredictError):
    """The database does not answer."""

    code = StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_STORE_UNAVAILABLE
    retry_delay_s = 1.0

    def __init__(self) -> None:
        super().__init__("the record cannot be reached; try again")


def to_status(error: BaseException) -> status_pb2.Status:
    """What a client sees of an exception: one ErrorInfo, and BadRequest or RetryInfo with it."""
    if isinstance(error, PredictionFailed):
        return error.error
    if isinstance(error, TimeoutError):
        error = DeadlineExceeded()
    elif isinstance(error, psycopg.OperationalError | PoolTimeout):
        log.warning("the database does not answer: %s", type(error).__name__)
        error = StoreUnavailable()
    elif isinstance(error, psycopg.Error):
        # Only its kind: PostgreSQL's message may quote what was to be written.
        log.error("unexpected %s, SQLSTATE %s", type(error).__name__, error.sqlstate)
        error = PredictError(_INTERNAL)
    elif not isinstance(error, PredictError):
        log.error("unexpected %s", type(error).__name__, exc_info=error)
        error = PredictError(_INTERNAL)
    status = status_pb2.Status(code=error.code.value[0], message=str(error))
    _attach(
        status,
        error_details_pb2.ErrorInfo(
            reason=reason_name(error.reason), domain=DOMAIN, metadata=error.metadata
        ),
    )
    if isinstance(error, InvalidArgument):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.metadata["field"],
            description=error.description,
            reason=reason_name(error.reason),
        )
        _attach(status, error_details_pb2.BadRequest(field_violations=[violation]))
    if error.retry_delay_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(error.retry_delay_s * 1000))
        _attach(status, retry)
    return status


def reason_name(reason: ErrorReason) -> str:
    """The reason as ErrorInfo carries it: the enum's name without its prefix."""
    return ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


def _attach(
    status: status_pb2.Status,
    detail: error_details_pb2.ErrorInfo
    | error_details_pb2.BadRequest
    | error_details_pb2.RetryInfo,
) -> None:
    packed: AnyMessage = status.details.add()
    packed.Pack(detail)
