"""Why what is said of a prediction is refused: errors as those of contract/errors.py."""

from collections.abc import Sequence

from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import InvalidArgument, PredictError


class LabelNotOfModel(InvalidArgument):
    """The version that made the prediction has no such label."""

    _SHOWN = 1000  # characters of its labels: errors go in trailers, which have an end

    def __init__(self, model: str, version: str, labels: Sequence[str]) -> None:
        known = ", ".join(labels)
        if len(known) > self._SHOWN:
            known = known[: self._SHOWN] + "…"
        super().__init__(
            ErrorReason.ERROR_REASON_LABEL_NOT_OF_MODEL,
            "label",
            f"is not among those of version {version!r} of model {model!r}: {known}",
            model=model,
            version=version,
            labels=known,
        )


class LabelNotFound(PredictError):
    """No label has this id."""

    reason = ErrorReason.ERROR_REASON_LABEL_NOT_FOUND

    def __init__(self, label: str) -> None:
        super().__init__(f"there is no label {label!r}", label=label)


class LabelCorrected(PredictError):
    """Whoever said it has said something else since."""

    reason = ErrorReason.ERROR_REASON_LABEL_CORRECTED

    def __init__(self, label: str) -> None:
        super().__init__(f"label {label!r} has been corrected since", label=label)


class TooManyLabels(PredictError):
    """As much has been said of the prediction as is kept of one."""

    reason = ErrorReason.ERROR_REASON_TOO_MANY_LABELS

    def __init__(self, prediction: str, max_labels: int) -> None:
        super().__init__(
            f"prediction {prediction!r} has {max_labels} labels, with their history",
            prediction=prediction,
            max_labels=max_labels,
        )


class ExternalIdReused(PredictError):
    """The external_id stands for what the source says of another prediction, or by another."""

    reason = ErrorReason.ERROR_REASON_EXTERNAL_ID_REUSED

    def __init__(self, external_id: str) -> None:
        super().__init__(
            f"external_id {external_id!r} is that of a label of another prediction or annotator",
            external_id=external_id,
        )
