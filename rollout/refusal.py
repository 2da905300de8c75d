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
    MODEL_UNKNOWN = "MODEL_UNKNOWN"
    """There is no folder of this model where the release runs."""
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
    """It cannot be served beside the present versions: they have other outputs."""
    DOES_NOT_LOAD = "DOES_NOT_LOAD"
    """Its code or its weights cannot be loaded."""
    CRASHES = "CRASHES"
    """Its process ends, or takes too long, when it is asked."""
    FAILS = "FAILS"
    """It raises an error, or answers nonsense, on texts that it was evaluated with."""
    GOLDEN_MISMATCH = "GOLDEN_MISMATCH"
    """It does not say what it said when it was trained."""
    CHAMPION_SILENT = "CHAMPION_SILENT"
    """The present champion, which it is compared with, crashes or takes too long."""
    QUALITY_WORSE = "QUALITY_WORSE"
    """It is worse than the present champion by more than the margin."""
    VERSION_EXISTS = "VERSION_EXISTS"
    """The repository holds a version of this number that is another one."""
    TRITON_UNAVAILABLE = "TRITON_UNAVAILABLE"
    """Triton does not answer."""
    LOAD_FAILED = "LOAD_FAILED"
    """Triton cannot load it."""
    WARM_UP_FAILED = "WARM_UP_FAILED"
    """It does not answer once it is loaded."""
    SERVER_UNAVAILABLE = "SERVER_UNAVAILABLE"
    """The server of others that is to answer for it does not."""
    ANOTHER_VERSION = "ANOTHER_VERSION"
    """That server answers as another version."""
    VERSIONS_IGNORED = "VERSIONS_IGNORED"
    """That server answers for any version, and is to answer for another one as well."""
    AMBIGUOUS = "AMBIGUOUS"
    """values.yaml says that a server of others answers for it, and the registry has one too."""
    DEPENDS_ON_NEIGHBOURS = "DEPENDS_ON_NEIGHBOURS"
    """It says something else of a text that comes together with others."""
    CHECKS_UNREADABLE = "CHECKS_UNREADABLE"
    """A file that values.yaml names to check it with cannot be read."""


OUTAGES = (
    Reason.REGISTRY_UNAVAILABLE,
    Reason.TRITON_UNAVAILABLE,
    Reason.SERVER_UNAVAILABLE,
)
"""Refusals that end by themselves."""
PASSING = (*OUTAGES, Reason.CHAMPION_SILENT)
"""Refusals that say nothing of the version."""

_RETRAIN = "run the model's own test, mend it, and train it again"
_CONTRACT = "mend what model.py declares, and train it again"
_REMEDIES = {
    Reason.REGISTRY_UNAVAILABLE: "once MLflow answers again: pmesh status, pmesh logs mlflow",
    Reason.VERSION_UNKNOWN: "train it first; MLflow lists the versions that there are",
    Reason.ARTIFACT_CORRUPT: "train it again",
    Reason.SIGNATURE_MISMATCH: "train it again",
    Reason.MODEL_UNKNOWN: "release it from a checkout that has the model's folder",
    Reason.INPUT_MISMATCH: _CONTRACT,
    Reason.OUTPUT_NAME: _CONTRACT,
    Reason.OUTPUT_TYPE: _CONTRACT,
    Reason.OUTPUT_SHAPE: _CONTRACT,
    Reason.LABEL_MISSING: _CONTRACT,
    Reason.LABEL_UNKNOWN: _CONTRACT,
    Reason.LABEL_ORDER: _CONTRACT,
    Reason.CONFIG_MISMATCH: "give a model of another shape a folder of its own",
    Reason.DOES_NOT_LOAD: _RETRAIN,
    Reason.CRASHES: _RETRAIN,
    Reason.FAILS: _RETRAIN,
    Reason.GOLDEN_MISMATCH: "train it again, with the packages that serve it",
    Reason.CHAMPION_SILENT: "when the machine is less busy, or allow any loss: --margin 1",
    Reason.QUALITY_WORSE: "train on more, or allow the loss: --margin",
    Reason.VERSION_EXISTS: "the registry counts anew: train until its numbers are new",
    Reason.TRITON_UNAVAILABLE: "once Triton answers again: pmesh status, pmesh logs triton",
    Reason.LOAD_FAILED: "pmesh logs triton",
    Reason.WARM_UP_FAILED: "pmesh logs triton",
    Reason.SERVER_UNAVAILABLE: "start that server; values.yaml says where it is looked for",
    Reason.ANOTHER_VERSION: "have that server serve this version, under this name",
    Reason.VERSIONS_IGNORED: "one server for each version, or one that heeds which is asked for",
    Reason.AMBIGUOUS: "give it a number in values.yaml that the registry does not have",
    Reason.DEPENDS_ON_NEIGHBOURS: "mend that server: a text's answer is its own",
    Reason.CHECKS_UNREADABLE: "mend the file, or what values.yaml says of it",
}
_PROTOCOL = "mend what that server answers; python -m tests.conformance says what does not fit"
_LABELS = "mend the labels that values.yaml gives this version"
_FOREIGN_REMEDIES = _REMEDIES | {
    Reason.OUTPUT_NAME: _PROTOCOL,
    Reason.OUTPUT_TYPE: _PROTOCOL,
    Reason.OUTPUT_SHAPE: _PROTOCOL,
    Reason.LABEL_MISSING: _LABELS,
    Reason.LABEL_UNKNOWN: _LABELS,
    Reason.LABEL_ORDER: _LABELS,
    Reason.FAILS: _PROTOCOL,
    Reason.GOLDEN_MISMATCH: "mend that server, or the golden answers that values.yaml names",
    Reason.QUALITY_WORSE: "have that server serve a better one, or allow the loss: --margin",
}


def remedy(reason: Reason, *, foreign: bool) -> str:
    """What to do about it. foreign: the version is one that a server of others answers for."""
    return (_FOREIGN_REMEDIES if foreign else _REMEDIES)[reason]


class Refused(Exception):
    """A check failed; the traffic is as it was."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
