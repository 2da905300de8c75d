"""Every rpc, asked by everybody: what each may is what contract.access says of his role, and whose
the prediction is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from uuid import UUID, uuid4

import pytest
from google.protobuf.message import Message
from predict.v1 import feedback_service_pb2 as feedback
from predict.v1 import model_service_pb2 as models
from predict.v1 import monitoring_service_pb2 as monitoring
from predict.v1 import prediction_service_pb2 as pb

from contract.access import PERMISSIONS, Permission
from contract.ids import uuid7
from tests.integration.gateway.access.conftest import ROLES
from tests.integration.gateway.access.serving import MODEL, OTHER_MODEL, Caller, Outcome, Serving
from tests.parts.doors import METHODS
from tests.parts.refusals import check_reason
from tests.parts.words_server import VERSION

OWNER = Caller("owner", ("app",))
OPERATOR = Caller("operator", ("operator",))
NO_MODEL = "sword"
"""Where none is; as long as the name of the one that there is."""
CALLERS = {
    "owner": OWNER,
    "stranger": Caller("stranger", ("app",)),
    "reader": Caller("reader", ("reader",)),
    "labeller": Caller("labeller", ("labeller",)),
    "manager": Caller("manager", ("manager",)),
    "operator": OPERATOR,
    "of another model": Caller("elsewhere", ("everything-else",)),
    "nobody": Caller("nobody", ("no-such-role",)),
    "unnamed": None,
}


class About(Enum):
    """What a call is about, which says how it is refused to whom that is out of reach."""

    MODEL = auto()
    PREDICTION = auto()
    LABEL = auto()
    RELEASE = auto()
    LIST = auto()
    """Of what the caller reaches."""


NOT_FOUND = {
    About.PREDICTION: "PREDICTION_NOT_FOUND",
    About.LABEL: "LABEL_NOT_FOUND",
    About.RELEASE: "RELEASE_NOT_FOUND",
}


@dataclass(frozen=True)
class Row:
    """How an rpc is asked, about something of the owner's."""

    about: About
    request: Callable[[str], Message]
    """Of the id of that; of MODEL, the id of the model."""
    make: Callable[[Serving], str] = lambda _: MODEL
    """Makes what it is about, for one call."""
    otherwise: str = ""
    """Why it is refused to whoever may ask."""


def finished(gateway: Serving) -> str:
    return gateway.predict(OWNER).id


def accepted(gateway: Serving) -> str:
    return gateway.create(OWNER).id


def label(gateway: Serving) -> str:
    return gateway.label(OWNER, finished(gateway))


def release(gateway: Serving) -> str:
    request = models.CreateReleaseRequest(
        model=MODEL,
        action="RELEASE_ACTION_RELEASE",
        version=VERSION,
        steps=[50, 100],
        pause={"seconds": 3600},
    )
    id_: str = gateway.ask("CreateRelease", request, OPERATOR).release.id
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
    "ListModels": Row(About.LIST, lambda _: models.ListModelsRequest(), lambda _: MODEL),
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


def test_each_rpc_has_a_row() -> None:
    assert ROWS.keys() == METHODS.keys()


def expected(rpc: str, who: str) -> str:
    """Why it is refused; "" for not at all; "unseen": the owner's is not in the list."""
    row, caller = ROWS[rpc], CALLERS[who]
    if caller is None:
        return "UNAUTHENTICATED"
    asked = PERMISSIONS[f"/{METHODS[rpc].containing_service.full_name}/{rpc}"]
    grants = {
        Permission(name): granted
        for role in caller.roles
        for name, granted in ROLES.get(role, {}).items()
        if Permission(name) in asked
    }
    if not grants:
        return "PERMISSION_DENIED"
    of_model = {name for name, granted in grants.items() if MODEL in granted}
    owned = (About.PREDICTION, About.LABEL, About.LIST)
    if row.about in owned and rpc != "ListModels" and caller != OWNER:
        of_model -= {Permission.PREDICT}
    if of_model:
        return row.otherwise
    if row.about is About.LIST:
        return "unseen"
    return NOT_FOUND.get(row.about, "PERMISSION_DENIED")


def seen(outcome: Outcome, id_: str) -> bool:
    """Whether it is in a list."""
    (message,) = outcome.messages
    ((_, found),) = [
        (field, value) for field, value in message.ListFields() if field.is_repeated
    ] or [(None, [])]
    return any(id_ in (one.id, getattr(one, "prediction_id", "")) for one in found)


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("rpc", ROWS)
def test_everybody_may_what_his_role_says_and_the_owner_with_his_own(
    gateway: Serving, rpc: str, who: str
) -> None:
    row, caller = ROWS[rpc], CALLERS[who]
    id_ = row.make(gateway)
    outcome = gateway.call(rpc, row.request(id_), caller)
    reason = outcome.reason
    if row.about is About.LIST and not reason and not seen(outcome, id_):
        reason = "unseen"
    assert reason == expected(rpc, who), outcome.details


OUT_OF_REACH = [
    (rpc, who) for rpc in ROWS for who in CALLERS if expected(rpc, who) in NOT_FOUND.values()
]


def test_there_are_such_calls() -> None:
    assert {rpc for rpc, _ in OUT_OF_REACH} == {
        rpc for rpc, row in ROWS.items() if row.about in NOT_FOUND
    }
    assert {who for _, who in OUT_OF_REACH} == {"stranger", "of another model"}


def told(outcome: Outcome, name: str) -> bytes:
    """All that comes back, but for the name of what was asked for."""
    answers = [message.SerializeToString(deterministic=True) for message in outcome.messages]
    status = outcome.status.SerializeToString(deterministic=True)
    all_of_it = (outcome.code, outcome.details, status, answers, outcome.metadata)
    return repr(all_of_it).replace(name, "NAME").encode()


def recorded(gateway: Serving, id_: str) -> list[dict[str, Any]]:
    """The rows of a prediction and its labels, of a label, or of a release."""
    with gateway.database.connect() as connection:
        return connection.execute(
            "SELECT to_jsonb(r) AS row FROM requests r WHERE id = %(id)s"
            " UNION ALL SELECT to_jsonb(r) FROM releases r WHERE id = %(id)s"
            " UNION ALL SELECT to_jsonb(l) FROM labels l WHERE prediction_id IN ("
            "     SELECT %(id)s UNION SELECT prediction_id FROM labels WHERE id = %(id)s)",
            {"id": UUID(id_)},
        ).fetchall()


@pytest.mark.parametrize(("rpc", "who"), OUT_OF_REACH)
def test_what_is_out_of_reach_is_as_if_it_were_not_there(
    gateway: Serving, rpc: str, who: str
) -> None:
    row = ROWS[rpc]
    id_, unknown = row.make(gateway), uuid7()
    before = recorded(gateway, id_)
    of_it, of_nothing = (
        told(gateway.call(rpc, row.request(name), CALLERS[who]), name) for name in (id_, unknown)
    )
    assert of_it == of_nothing
    assert recorded(gateway, id_) == before


@pytest.mark.parametrize("rpc", ["GetPrediction", "WaitPrediction", "WatchPrediction"])
@pytest.mark.parametrize("who", ["stranger", "of another model"])
def test_what_is_unfinished_and_out_of_reach_is_not_waited_for(
    gateway: Serving, rpc: str, who: str
) -> None:
    row = ROWS[rpc]
    of_it, of_nothing = (
        told(gateway.call(rpc, row.request(name), CALLERS[who]), name)
        for name in (accepted(gateway), uuid7())
    )
    assert of_it == of_nothing


@pytest.mark.parametrize("rpc", ["GetPrediction", "WaitPrediction", "WatchPrediction"])
def test_who_reads_one_model_and_predicts_with_another_reads_of_others_the_one(
    gateway: Serving, rpc: str
) -> None:
    both = Caller("both", ("reader", "app-of-the-other"))
    of_other = gateway.predict(Caller("elsewhere", ("everything-else",)), model=OTHER_MODEL).id
    own = gateway.predict(both, model=OTHER_MODEL).id
    reasons = [
        gateway.call(rpc, ROWS[rpc].request(id_), both).reason
        for id_ in (finished(gateway), own, of_other)
    ]
    assert reasons == ["", "", "PREDICTION_NOT_FOUND"]


@pytest.mark.parametrize("rpc", [rpc for rpc, row in ROWS.items() if row.about is About.MODEL])
def test_nobody_is_told_which_models_there_are_that_are_not_for_him(
    gateway: Serving, rpc: str
) -> None:
    outcomes = {
        name: gateway.call(rpc, ROWS[rpc].request(name), CALLERS["of another model"])
        for name in (MODEL, NO_MODEL)
    }
    assert {outcome.reason for outcome in outcomes.values()} == {"PERMISSION_DENIED"}
    assert len({told(outcome, name) for name, outcome in outcomes.items()}) == 1


@pytest.mark.parametrize("rpc", ["Predict", "GetPrediction", "SetTraffic", "AttachLabel"])
def test_permission_comes_before_what_is_wrong_with_a_request(gateway: Serving, rpc: str) -> None:
    method: Any = METHODS[rpc]
    empty = ROWS[rpc].request(str(uuid4())).__class__()
    assert method.input_type.full_name == empty.DESCRIPTOR.full_name
    check_reason(gateway.call(rpc, empty, None).answer, "UNAUTHENTICATED")
    check_reason(gateway.call(rpc, empty, CALLERS["nobody"]).answer, "PERMISSION_DENIED")
