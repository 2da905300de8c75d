"""Why a version does not come into service, and what to do about it."""

from typing import cast

from predict.v1.release_refusal_pb2 import ReleaseRefusal

_PREFIX = "RELEASE_REFUSAL_"


class _Reasons:
    """The contract's reasons without their prefix: Reason.FAILS is RELEASE_REFUSAL_FAILS."""

    def __getattr__(self, name: str) -> ReleaseRefusal:
        try:
            return cast(ReleaseRefusal, ReleaseRefusal.Value(_PREFIX + name))
        except ValueError:
            raise AttributeError(name) from None


Reason = _Reasons()

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
    "REGISTRY_UNAVAILABLE": "once MLflow answers again: pmesh status, pmesh logs mlflow",
    "VERSION_UNKNOWN": "train it first; MLflow lists the versions that there are",
    "ARTIFACT_CORRUPT": "train it again",
    "SIGNATURE_MISMATCH": "train it again",
    "MODEL_UNKNOWN": "have the release program run from a checkout that has the model's folder",
    "INPUT_MISMATCH": _CONTRACT,
    "OUTPUT_NAME": _CONTRACT,
    "OUTPUT_TYPE": _CONTRACT,
    "OUTPUT_SHAPE": _CONTRACT,
    "LABEL_MISSING": _CONTRACT,
    "LABEL_UNKNOWN": _CONTRACT,
    "LABEL_ORDER": _CONTRACT,
    "CONFIG_MISMATCH": "give a model of another shape a folder of its own",
    "DOES_NOT_LOAD": _RETRAIN,
    "CRASHES": _RETRAIN,
    "FAILS": _RETRAIN,
    "GOLDEN_MISMATCH": "train it again, with the packages that serve it",
    "CHAMPION_SILENT": "when the machine is less busy, or allow any loss: --margin 1",
    "QUALITY_WORSE": "train on more, or allow the loss: --margin",
    "VERSION_EXISTS": "the registry counts anew: train until its numbers are new",
    "TRITON_UNAVAILABLE": "once Triton answers again: pmesh status, pmesh logs triton",
    "LOAD_FAILED": "pmesh logs triton",
    "WARM_UP_FAILED": "pmesh logs triton",
    "SERVER_UNAVAILABLE": "start that server; values.yaml says where it is looked for",
    "ANOTHER_VERSION": "have that server serve this version, under this name",
    "VERSIONS_IGNORED": "one server for each version, or one that heeds which is asked for",
    "AMBIGUOUS": "give it a number in values.yaml that the registry does not have",
    "DEPENDS_ON_NEIGHBOURS": "mend that server: a text's answer is its own",
    "CHECKS_UNREADABLE": "mend the file, or what values.yaml says of it",
}
_PROTOCOL = "mend what that server answers; python -m tests.conformance says what does not fit"
_LABELS = "mend the labels that values.yaml gives this version"
_FOREIGN_REMEDIES = _REMEDIES | {
    "OUTPUT_NAME": _PROTOCOL,
    "OUTPUT_TYPE": _PROTOCOL,
    "OUTPUT_SHAPE": _PROTOCOL,
    "LABEL_MISSING": _LABELS,
    "LABEL_UNKNOWN": _LABELS,
    "LABEL_ORDER": _LABELS,
    "FAILS": _PROTOCOL,
    "GOLDEN_MISMATCH": "mend that server, or the golden answers that values.yaml names",
    "QUALITY_WORSE": "have that server serve a better one, or allow the loss: --margin",
}


def refusal_name(reason: ReleaseRefusal) -> str:
    """As the record has it: the enum's name without its prefix."""
    return ReleaseRefusal.Name(reason).removeprefix(_PREFIX)


def remedy(name: str, *, foreign: bool) -> str:
    """What to do about a refusal of this name; "" for one that only a later program knows.

    foreign: the version is one that a server of others answers for.
    """
    return (_FOREIGN_REMEDIES if foreign else _REMEDIES).get(name, "")


class Refused(Exception):
    """A check failed; the traffic is as it was."""

    def __init__(self, reason: ReleaseRefusal, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
