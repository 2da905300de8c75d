"""How each rpc is asked, about what is its caller's."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from google.protobuf.message import Message
from predict.v1 import feedback_service_pb2 as feedback
from predict.v1 import model_service_pb2 as models
from predict.v1 import monitoring_service_pb2 as monitoring
from predict.v1 import prediction_service_pb2 as pb

from tests.integration.gateway.access.serving import MODEL, Caller, Serving
from tests.parts.words_server import VERSION


class About(Enum):
    """What a call is about, which says how it is refused to whom that is out of reach."""

    MODEL = auto()
    PREDICTION = auto()
    LABEL = auto()
    RELEASE = auto()
    LIST = auto()
    """Of what the caller reaches."""


@dataclass(frozen=True)
class Row:
    """How an rpc is asked, about something of its caller's."""

    about: About
    request: Callable[[str], Message]
    """Of the id of that; of MODEL, the id of the model."""
    make: Callable[[Serving, Caller], str] = lambda _, __: MODEL
    """Makes what it is about, for one call."""
    otherwise: str = ""
    """Why it is refused to whoever may ask."""


def finished(gateway: Serving, caller: Caller) -> str:
    return gateway.predict(caller).id


def accepted(gateway: Serving, caller: Caller) -> str:
    return gateway.create(caller).id


def label(gateway: Serving, caller: Caller) -> str:
    return gateway.label(caller, finished(gateway, caller))


def release(gateway: Serving, caller: Caller) -> str:
    request = models.CreateReleaseRequest(
        model=MODEL,
        action="RELEASE_ACTION_RELEASE",
        version=VERSION,
        steps=[50, 100],
        pause={"seconds": 3600},
    )
    id_: str = gateway.ask("CreateRelease", request, caller).release.id
    return id_


def stream(model: str) -> pb.StreamPredictRequest:
    return pb.StreamPredictRequest(request=pb.PredictRequest(model=model, text="good"))


def batch(model: str) -> pb.BatchPredictRequest:
    return pb.BatchPredictRequest(model=model, entries=[pb.BatchPredictEntry(text="good")])


def attach(id_: str) -> feedback.AttachLabelRequest:
    return feedback.AttachLabelRequest(prediction_id=id_, label="positive")


def attach_all(id_: str) -> feedback.BatchAttachLabelsRequest:
    return feedback.BatchAttachLabelsRequest(requests=[attach(id_)])


ROWS: dict[str, Row] = {
    "Predict": Row(About.MODEL, lambda m: pb.PredictRequest(model=m, text="good")),
    "BatchPredict": Row(About.MODEL, batch),
    "StreamPredict": Row(About.MODEL, stream),
    "CreatePrediction": Row(
        About.MODEL, lambda m: pb.CreatePredictionRequest(model=m, text="good")
    ),
    "GetPrediction": Row(About.PREDICTION, lambda i: pb.GetPredictionRequest(id=i), finished),
    "ListPredictions": Row(About.LIST, lambda _: pb.ListPredictionsRequest(), finished),
    "WaitPrediction": Row(About.PREDICTION, lambda i: pb.WaitPredictionRequest(id=i), finished),
    "WatchPrediction": Row(About.PREDICTION, lambda i: pb.WatchPredictionRequest(id=i), finished),
    "CancelPrediction": Row(About.PREDICTION, lambda i: pb.CancelPredictionRequest(id=i), accepted),
    "DeletePrediction": Row(About.PREDICTION, lambda i: pb.DeletePredictionRequest(id=i), finished),
    "AttachLabel": Row(About.PREDICTION, attach, finished),
    "BatchAttachLabels": Row(About.PREDICTION, attach_all, finished),
    "DeleteLabel": Row(About.LABEL, lambda i: feedback.DeleteLabelRequest(id=i), label),
    "ListLabels": Row(About.LIST, lambda _: feedback.ListLabelsRequest(), label),
    "ListUnlabeled": Row(About.MODEL, lambda m: feedback.ListUnlabeledRequest(model=m)),
    "ListModels": Row(About.LIST, lambda _: models.ListModelsRequest()),
    "GetModel": Row(About.MODEL, lambda m: models.GetModelRequest(model=m)),
    "ListReleases": Row(About.MODEL, lambda m: models.ListReleasesRequest(model=m)),
    "GetRelease": Row(About.RELEASE, lambda i: models.GetReleaseRequest(id=i), release),
    "SetTraffic": Row(
        About.MODEL,
        lambda m: models.SetTrafficRequest(model=m, shares=[{"version": VERSION, "percent": 100}]),
    ),
    "CreateRelease": Row(
        About.MODEL,
        lambda m: models.CreateReleaseRequest(model=m, action="RELEASE_ACTION_PROMOTE"),
        otherwise="NO_OTHER_VERSION",
    ),
    "PauseRelease": Row(About.RELEASE, lambda i: models.PauseReleaseRequest(id=i), release),
    "ResumeRelease": Row(About.RELEASE, lambda i: models.ResumeReleaseRequest(id=i), release),
    "CancelRelease": Row(About.RELEASE, lambda i: models.CancelReleaseRequest(id=i), release),
    "ListQualityMetrics": Row(About.MODEL, lambda m: monitoring.ListQualityMetricsRequest(model=m)),
    "ListReferences": Row(About.MODEL, lambda m: monitoring.ListReferencesRequest(model=m)),
    "GetReference": Row(
        About.MODEL,
        lambda m: monitoring.GetReferenceRequest(model=m, version=VERSION),
        otherwise="REFERENCE_NOT_FOUND",
    ),
}
