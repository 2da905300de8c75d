"""Why there is no answer: each error with its gRPC code and its stable reason."""

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from predict.v1.error_reason_pb2 import ErrorReason

DOMAIN = "predict.v1"


class InferenceError(Exception):
    """An error that a caller may see. metadata: every part of the message that varies."""

    code = StatusCode.INTERNAL
    reason = ErrorReason.ERROR_REASON_INTERNAL

    def __init__(self, message: str, **metadata: object) -> None:
        super().__init__(message)
        self.metadata = {name: str(value) for name, value in metadata.items()}


class ModelNotFound(InferenceError):
    """The runtime was asked for a model that is not its own."""

    code = StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_MODEL_NOT_FOUND

    def __init__(self, model: str) -> None:
        super().__init__(f"model {model!r} is not served here", model=model)


class VersionNotFound(InferenceError):
    """Triton has no such version of the model."""

    code = StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_VERSION_NOT_FOUND

    def __init__(self, model: str, version: str) -> None:
        super().__init__(
            f"version {version!r} of model {model!r} is not loaded", model=model, version=version
        )


class BatchSizeOutOfRange(InferenceError):
    """A batch without entries, or with too many."""

    code = StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_BATCH_SIZE

    def __init__(self, size: int, max_size: int) -> None:
        super().__init__(
            f"entries: 1 to {max_size} are allowed, not {size}",
            field="entries",
            size=size,
            max_size=max_size,
        )


class ModelUnavailable(InferenceError):
    """Triton does not answer, or the model's process is dead. Trying again later helps."""

    code = StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE

    def __init__(self, model: str) -> None:
        super().__init__(f"model {model!r} does not answer; try again", model=model)


class ModelFailed(InferenceError):
    """The model could not process a text of the batch. Trying again does not help."""

    reason = ErrorReason.ERROR_REASON_MODEL_FAILED

    def __init__(self, model: str) -> None:
        super().__init__(f"model {model!r} could not process the text", model=model)


class DeadlineExceeded(InferenceError):
    """The time that the caller gave is over."""

    code = StatusCode.DEADLINE_EXCEEDED
    reason = ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED

    def __init__(self) -> None:
        super().__init__("the deadline passed before the model answered")


def to_status(error: InferenceError) -> status_pb2.Status:
    """What a caller sees: the code, the message and one ErrorInfo."""
    info = error_details_pb2.ErrorInfo(
        reason=ErrorReason.Name(error.reason).removeprefix("ERROR_REASON_"),
        domain=DOMAIN,
        metadata=error.metadata,
    )
    detail = AnyMessage()
    detail.Pack(info)
    return status_pb2.Status(code=error.code.value[0], message=str(error), details=[detail])
