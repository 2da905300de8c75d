"""What a caller may say of a prediction: who labels his own only, and who labels everybody's."""

from typing import Any

import pytest
from predict.v1 import feedback_service_pb2 as feedback

from tests.integration.gateway.access.serving import MODEL, Caller, Serving
from tests.integration.gateway.access.test_ownership import LABELLER, READER, somebody
from tests.parts.refusals import check_reason

FOR_LABELLERS: list[dict[str, Any]] = [
    {"annotator": "chief"},
    {"adjudicated": True},
    {"source": "LABEL_SOURCE_PERSON"},
    {"source": "LABEL_SOURCE_IMPORT"},
    {"source": "LABEL_SOURCE_LABEL_STUDIO"},
    {"choice": "control"},
    {"weight": 1e9},
    {"weight": 1},
]


def attach(id_: str, **fields: Any) -> feedback.AttachLabelRequest:
    return feedback.AttachLabelRequest(
        **{"prediction_id": id_, "label": "positive"} | fields  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("fields", FOR_LABELLERS, ids=str)
def test_who_labels_his_own_says_what_he_thinks_himself_and_no_more(
    gateway: Serving, fields: dict[str, Any]
) -> None:
    ann = somebody()
    request = attach(gateway.predict(ann).id, **fields)
    outcome = gateway.call("AttachLabel", request, ann)
    check_reason(outcome.answer, "PERMISSION_DENIED")
    assert "label" in outcome.details
    batch = feedback.BatchAttachLabelsRequest(requests=[request])
    assert gateway.call("BatchAttachLabels", batch, ann).reason == "PERMISSION_DENIED"
    found = gateway.ask("ListLabels", listing(request.prediction_id), READER)
    assert not found.labels
    assert gateway.call("AttachLabel", request, LABELLER).reason == ""


@pytest.mark.parametrize(
    "fields", [{}, {"source": "LABEL_SOURCE_CLIENT"}, {"external_id": "7"}, {"by_name": True}]
)
def test_what_one_thinks_of_ones_own_is_taken(gateway: Serving, fields: dict[str, Any]) -> None:
    ann = somebody()
    said = {"annotator": ann.name} if fields.get("by_name") else fields
    label = gateway.ask("AttachLabel", attach(gateway.predict(ann).id, **said), ann).label
    assert label.annotator == ann.name


def test_what_others_said_of_ones_own_is_neither_told_nor_taken_back(gateway: Serving) -> None:
    """By way of their names."""
    ann = somebody()
    id_ = gateway.predict(ann).id
    theirs = gateway.ask("AttachLabel", attach(id_), LABELLER).label
    for label in ("positive", "negative"):
        request = attach(id_, annotator=LABELLER.name, label=label)
        assert gateway.call("AttachLabel", request, ann).reason == "PERMISSION_DENIED"
    assert [one.id for one in gateway.ask("ListLabels", listing(id_), READER).labels] == [theirs.id]


def test_of_what_is_out_of_reach_it_is_said_that_it_is_not_there(gateway: Serving) -> None:
    request = attach(gateway.predict(somebody()).id, adjudicated=True)
    assert gateway.call("AttachLabel", request, somebody()).reason == "PREDICTION_NOT_FOUND"


def test_a_labeller_of_one_model_is_none_of_another(gateway: Serving) -> None:
    elsewhere = Caller("elsewhere", ("app", "everything-else"))
    request = attach(gateway.predict(elsewhere, model=MODEL).id, adjudicated=True)
    assert gateway.call("AttachLabel", request, elsewhere).reason == "PERMISSION_DENIED"


def listing(id_: str) -> feedback.ListLabelsRequest:
    return feedback.ListLabelsRequest(prediction_id=id_, with_history=True)
