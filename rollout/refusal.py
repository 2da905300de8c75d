"""Why a version does not come into service: one stable reason for each check."""

from enum import StrEnum


class Reason(StrEnum):
    """The `refusal` of a release."""

    REGISTRY_UNAVAILABLE = "REGISTRY_UNAVAILABLE"
    """The registry does not answer, or too slowly."""
    VERSION_UNKNOWN = "VERSION_UNKNOWN"
    """The registry has no such version."""
    ARTIFACT_CORRUPT = "ARTIFACT_CORRUPT"
    """What the registry gives is not what was registered."""
    SIGNATURE_MISMATCH = "SIGNATURE_MISMATCH"
    """The registered signature is not that of the model."""
    INPUT_MISMATCH = "INPUT_MISMATCH"
    """The model does not take one text."""
    OUTPUT_NAME = "OUTPUT_NAME"
    """An output that the contract has is missing, or one has a name that it does not know."""
    OUTPUT_TYPE = "OUTPUT_TYPE"
    """An output is not of 32-bit floats."""
    OUTPUT_SHAPE = "OUTPUT_SHAPE"
    """An output has another shape than the contract, or than the model declares."""
    LABEL_MISSING = "LABEL_MISSING"
    """A label of the model's list of labels is missing."""
    LABEL_UNKNOWN = "LABEL_UNKNOWN"
    """There is a label that the model's list does not have."""
    LABEL_ORDER = "LABEL_ORDER"
    """The labels are in another order."""
    CONFIG_MISMATCH = "CONFIG_MISMATCH"
    """It cannot be served beside the present versions, which have another config.pbtxt."""
    DOES_NOT_LOAD = "DOES_NOT_LOAD"
    """Its code or its weights cannot be loaded."""
    CRASHES = "CRASHES"
    """Its process ends, or takes too long, when it is asked."""
    FAILS = "FAILS"
    """It raises an error on texts that it knew when it was trained."""
    GOLDEN_MISMATCH = "GOLDEN_MISMATCH"
    """It does not say what it said when it was trained."""
    QUALITY_WORSE = "QUALITY_WORSE"
    """It is worse than the present champion by more than the margin."""
    TRITON_UNAVAILABLE = "TRITON_UNAVAILABLE"
    """Triton does not answer."""
    LOAD_FAILED = "LOAD_FAILED"
    """Triton cannot load it."""
    WARM_UP_FAILED = "WARM_UP_FAILED"
    """It does not answer once it is loaded."""


class Refused(Exception):
    """A check failed; the traffic is as it was."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
