"""Why what is asked of the monitoring is refused: errors as those of contract/errors.py."""

from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import PredictError


class ReferenceNotFound(PredictError):
    """The hours of the version are compared with nothing yet."""

    reason = ErrorReason.ERROR_REASON_REFERENCE_NOT_FOUND

    def __init__(self, model: str, version: str) -> None:
        super().__init__(
            f"version {version!r} of model {model!r} is compared with nothing yet",
            model=model,
            version=version,
        )
