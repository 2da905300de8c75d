"""Why something is refused: each error with its stable reason.

Its code and whether to try again belong to the reason, and are options of the contract's own enum
(protos/predict/v1/error_reason.proto). Inner code raises these and never touches a gRPC context.
"""

from google.rpc import status_pb2
from grpc import StatusCode
from predict.v1.error_reason_pb2 import ErrorReason

from contract.reasons import grpc_code, retry_delay_s


class PredictError(Exception):
    """An error that a client may see.

    metadata: every part of the message that varies; "field" in it also makes a BadRequest.
    """

    reason = ErrorReason.ERROR_REASON_INTERNAL

    def __init__(self, message: str, **metadata: object) -> None:
        super().__init__(message)
        self.metadata = {name: str(value) for name, value in metadata.items()}

    @property
    def code(self) -> StatusCode:
        """The gRPC code."""
        return grpc_code(self.reason)

    @property
    def retry_delay_s(self) -> float | None:
        """After how many seconds to try again; None: it does not help."""
        return retry_delay_s(self.reason)


class InvalidArgument(PredictError):
    """A field of the request has a value that no call could accept."""

    def __init__(self, reason: ErrorReason, field: str, message: str, **metadata: object) -> None:
        super().__init__(f"{field or 'the request'}: {message}", field=field, **metadata)
        self.reason = reason
        self.description = message


class MalformedMessage(PredictError):
    """The request is no message of its type."""

    reason = ErrorReason.ERROR_REASON_MALFORMED_MESSAGE

    def __init__(self) -> None:
        super().__init__("the message cannot be decoded")


class MessageTooLarge(PredictError):
    """The request is larger than any request needs to be."""

    reason = ErrorReason.ERROR_REASON_MESSAGE_TOO_LARGE

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the message is larger than {max_bytes} bytes", max_bytes=max_bytes)


class MethodNotFound(PredictError):
    """No rpc has this path, or the request does not fit its kind."""

    reason = ErrorReason.ERROR_REASON_PATH_NOT_FOUND
    code = StatusCode.UNIMPLEMENTED  # over REST, Envoy answers with the reason's own

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no rpc {path} for this request", path=path)


class PathNotFound(PredictError):
    """Nothing is at this path for this kind of request."""

    reason = ErrorReason.ERROR_REASON_PATH_NOT_FOUND

    def __init__(self, path: str) -> None:
        super().__init__("nothing is at this path", path=path)


class InvalidCaller(PredictError):
    """The header that names the caller is there twice, or is no name."""

    reason = ErrorReason.ERROR_REASON_INVALID_CALLER

    def __init__(self, header: str) -> None:
        super().__init__(f"the header {header} must be one name", header=header)


class ShuttingDown(PredictError):
    """The gateway is being stopped; another one, or this one started again, will answer."""

    reason = ErrorReason.ERROR_REASON_SHUTTING_DOWN

    def __init__(self) -> None:
        super().__init__("the gateway is shutting down; try again")


class ModelNotFound(PredictError):
    """No model of this id is registered."""

    reason = ErrorReason.ERROR_REASON_MODEL_NOT_FOUND

    def __init__(self, model: str) -> None:
        super().__init__(f"there is no model {model!r}", model=model)


class VersionNotFound(PredictError):
    """The model has no such version, or it does not serve."""

    reason = ErrorReason.ERROR_REASON_VERSION_NOT_FOUND

    def __init__(self, model: str, version: str) -> None:
        super().__init__(
            f"model {model!r} has no version {version!r}", model=model, version=version
        )


class VersionNotServing(PredictError):
    """Traffic was to go to a version that is not released, or not any more."""

    reason = ErrorReason.ERROR_REASON_VERSION_NOT_SERVING

    def __init__(self, model: str, version: str) -> None:
        super().__init__(
            f"version {version!r} of model {model!r} does not serve; release it first",
            model=model,
            version=version,
        )


class NoOtherVersion(PredictError):
    """There is nothing to promote, or nothing to go back to."""

    reason = ErrorReason.ERROR_REASON_NO_OTHER_VERSION

    def __init__(self, model: str, message: str) -> None:
        """message: which of the two it is."""
        super().__init__(message, model=model)


class EtagMismatch(PredictError):
    """Somebody has changed the resource since the caller read it."""

    reason = ErrorReason.ERROR_REASON_ETAG_MISMATCH

    def __init__(self, etag: str) -> None:
        super().__init__(f"{etag!r} is not the present etag; read it again", etag=etag)


class ReleaseNotFound(PredictError):
    """No release has this id."""

    reason = ErrorReason.ERROR_REASON_RELEASE_NOT_FOUND

    def __init__(self, release: str) -> None:
        super().__init__(f"there is no release {release!r}", release=release)


class ReleaseFinished(PredictError):
    """The release has ended, so that nothing can be asked of it any more."""

    reason = ErrorReason.ERROR_REASON_RELEASE_FINISHED

    def __init__(self, release: str, state: str) -> None:
        super().__init__(f"release {release!r} is {state}", release=release, state=state)


class ModelNotReleased(PredictError):
    """The model has no traffic policy yet."""

    reason = ErrorReason.ERROR_REASON_MODEL_NOT_RELEASED

    def __init__(self, model: str) -> None:
        super().__init__(f"no version of model {model!r} is released", model=model)


class ModelUnavailable(PredictError):
    """The server of the model does not answer, or does not know a version that it should."""

    reason = ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE

    def __init__(self, model: str) -> None:
        super().__init__(f"model {model!r} does not answer; try again", model=model)


class ModelFailed(PredictError):
    """The model cannot process the text; trying again does not help."""

    reason = ErrorReason.ERROR_REASON_MODEL_FAILED

    def __init__(self, model: str) -> None:
        super().__init__(f"model {model!r} could not process the text", model=model)


class AttemptsExhausted(PredictError):
    """The work was tried as often as is allowed, without an answer."""

    reason = ErrorReason.ERROR_REASON_ATTEMPTS_EXHAUSTED

    def __init__(self, attempts: int) -> None:
        super().__init__(f"no answer after {attempts} attempts", attempts=attempts)


class Undeliverable(PredictError):
    """The bus will never take a request, or the answer to it."""

    reason = ErrorReason.ERROR_REASON_UNDELIVERABLE

    def __init__(self) -> None:
        super().__init__("the work or its answer could not be handed on")


class PredictionNotFound(PredictError):
    """No prediction has this id."""

    reason = ErrorReason.ERROR_REASON_PREDICTION_NOT_FOUND

    def __init__(self, prediction: str) -> None:
        super().__init__(f"there is no prediction {prediction!r}", prediction=prediction)


class PredictionFinished(PredictError):
    """The prediction is in a terminal state that the call cannot use."""

    reason = ErrorReason.ERROR_REASON_PREDICTION_FINISHED

    def __init__(self, prediction: str, state: str) -> None:
        super().__init__(
            f"prediction {prediction!r} is {state}", prediction=prediction, state=state
        )


class PredictionUnfinished(PredictError):
    """The prediction has not reached a terminal state, as the call needs."""

    reason = ErrorReason.ERROR_REASON_PREDICTION_UNFINISHED

    def __init__(self, prediction: str, state: str) -> None:
        super().__init__(
            f"prediction {prediction!r} is {state}, not finished",
            prediction=prediction,
            state=state,
        )


class PredictionErased(PredictError):
    """The prediction's text is gone: nothing can be said of it, and no request be compared."""

    reason = ErrorReason.ERROR_REASON_PREDICTION_ERASED

    def __init__(self, prediction: str) -> None:
        super().__init__(f"prediction {prediction!r} has been erased", prediction=prediction)


class PredictionFailed(PredictError):
    """The prediction that a request_id stands for has failed before."""

    def __init__(self, error: status_pb2.Status) -> None:
        super().__init__(error.message)
        self.error = error


class RequestIdReused(PredictError):
    """The request_id stands for another request."""

    reason = ErrorReason.ERROR_REASON_REQUEST_ID_REUSED

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request_id {request_id} was used for another request", request_id=request_id
        )


class Overloaded(PredictError):
    """More work is waiting than can be done in useful time."""

    reason = ErrorReason.ERROR_REASON_OVERLOADED

    def __init__(self, message: str = "too much work is waiting; try again later") -> None:
        super().__init__(message)


class DeadlineExceeded(PredictError):
    """The caller's deadline, or the longest that a call may take, passed."""

    reason = ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED

    def __init__(self) -> None:
        super().__init__("the deadline passed before there was an answer")


class ListTooBroad(PredictError):
    """A list whose conditions have more predictions read than can be in useful time."""

    reason = ErrorReason.ERROR_REASON_LIST_TOO_BROAD

    def __init__(self, limit_s: int) -> None:
        super().__init__(
            f"the list was not found within {limit_s} s; ask for a model, or for less time",
            limit_s=limit_s,
        )


class StoreUnavailable(PredictError):
    """The database does not answer."""

    reason = ErrorReason.ERROR_REASON_STORE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("the record cannot be reached; try again")
