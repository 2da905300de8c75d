"""What is said of predictions through one door is what the other one tells."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from predict.v1.feedback_service_pb2 import (
    AttachLabelRequest,
    BatchAttachLabelsRequest,
    DeleteLabelRequest,
    ListLabelsRequest,
    ListUnlabeledRequest,
    UnlabeledOrder,
)
from predict.v1.label_pb2 import LabelSource
from predict.v1.prediction_service_pb2 import GetPredictionRequest, PredictRequest

from tests.integration.gateway.program.running import Running
from tests.parts.doors import Door

PERSON = LabelSource.LABEL_SOURCE_PERSON


def both(gateway: Running, rpc: str, request: Message) -> Any:
    """The one answer of both doors, to a call that may be repeated."""
    by_grpc, by_rest = gateway.grpc.call(rpc, request), gateway.rest.call(rpc, request)
    assert by_grpc.message is not None
    # By what they say: the details of errors are bytes, in which a map has no order.
    assert json_format.MessageToDict(by_grpc.message) == json_format.MessageToDict(by_rest.message)
    return by_grpc.message


def predicted(gateway: Running) -> str:
    request = PredictRequest(model="sentiment", text="a text")
    id_ = gateway.grpc.call("Predict", request).message.prediction.id
    assert isinstance(id_, str)
    return id_


def said(gateway: Running, label: str = "positive", **changes: Any) -> AttachLabelRequest:
    """All that can be said, of a prediction of its own."""
    fields: dict[str, Any] = {
        "prediction_id": predicted(gateway),
        "label": label,
        "source": PERSON,
        "annotator": "Ünïcode 🙂 / ?&=",
        "adjudicated": True,
        "label_time": {"seconds": 1_767_355_200, "nanos": 123_456_000},
        "choice": "control",
        "weight": 2.5,
        **changes,
    }
    fields.setdefault("external_id", fields["prediction_id"])
    return AttachLabelRequest(**fields)


def pages(door: Door, rpc: str, request: Any) -> Iterator[Any]:
    while True:
        page = door.call(rpc, request).message
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def content(message: Message) -> dict[str, object]:
    """All of a label but what makes it another one."""
    fields = json_format.MessageToDict(message)
    for name in ("id", "predictionId", "externalId", "createTime"):
        assert fields.pop(name)
    return fields


def test_a_label_is_the_same_and_stands_in_its_prediction(
    gateway: Running,
) -> None:
    requests = said(gateway), said(gateway)
    labels = []
    for request, door in zip(requests, (gateway.grpc, gateway.rest), strict=True):
        label = door.call("AttachLabel", request).message.label
        assert both(gateway, "AttachLabel", request).label == label  # it is said already
        for name in ("prediction_id", "label", "source", "annotator", "label_time", "weight"):
            assert getattr(label, name) == getattr(request, name)
        asked = GetPredictionRequest(id=request.prediction_id)
        shown = both(gateway, "GetPrediction", asked).prediction.label
        assert (shown.label, shown.source, shown.annotators) == ("positive", PERSON, 1)
        assert shown.update_time == label.create_time
        labels.append(label)
    assert content(labels[0]) == content(labels[1])


def test_a_batch_is_answered_alike(gateway: Running) -> None:
    good, other = said(gateway), said(gateway, "negative")
    asked = [good, said(gateway, "no such label"), other, AttachLabelRequest(prediction_id="7")]
    request = BatchAttachLabelsRequest(requests=asked)
    first = gateway.rest.call("BatchAttachLabels", request).message
    again = both(gateway, "BatchAttachLabels", request)
    assert [result.added for result in first.results] == [True, False, True, False]
    assert [result.WhichOneof("result") for result in first.results] == ["label", "error"] * 2
    for result in first.results:
        result.added = False
    assert json_format.MessageToDict(first) == json_format.MessageToDict(again)


@pytest.mark.parametrize("with_history", [False, True])
def test_a_list_has_the_same_pages(gateway: Running, with_history: bool) -> None:
    request = said(gateway)
    for n in range(5):
        request.annotator, request.external_id = f"annotator {n}", ""
        assert gateway.grpc.call("AttachLabel", request).message
    request.label = "negative"
    assert gateway.rest.call("AttachLabel", request).message

    def asked() -> ListLabelsRequest:
        return ListLabelsRequest(
            prediction_id=request.prediction_id,
            model="sentiment",
            source=PERSON,
            with_history=with_history,
            page_size=2,
        )

    by_grpc = list(pages(gateway.grpc, "ListLabels", asked()))
    assert by_grpc == list(pages(gateway.rest, "ListLabels", asked()))
    assert [len(page.labels) for page in by_grpc] == ([2, 2, 2] if with_history else [2, 2, 1])
    assert by_grpc[0].labels[0].label == "negative"


@pytest.mark.parametrize(
    "order", [UnlabeledOrder.UNLABELED_ORDER_NEWEST, UnlabeledOrder.UNLABELED_ORDER_UNCERTAIN]
)
def test_what_wants_a_label_is_the_same(gateway: Running, order: UnlabeledOrder) -> None:
    labelled = said(gateway)
    start = both(gateway, "GetPrediction", GetPredictionRequest(id=labelled.prediction_id))
    wanted = {predicted(gateway) for _ in range(3)}
    assert gateway.grpc.call("AttachLabel", labelled).message

    def asked() -> ListUnlabeledRequest:
        return ListUnlabeledRequest(
            model="sentiment", start_time=start.prediction.create_time, page_size=2, order=order
        )

    by_grpc = list(pages(gateway.grpc, "ListUnlabeled", asked()))
    assert by_grpc == list(pages(gateway.rest, "ListUnlabeled", asked()))
    found = [one.id for page in by_grpc for one in page.predictions]
    one_page = order == UnlabeledOrder.UNLABELED_ORDER_UNCERTAIN
    assert len(found) == (2 if one_page else 3)
    assert set(found) <= wanted


def test_a_withdrawal_is_the_same(gateway: Running) -> None:
    for door in (gateway.grpc, gateway.rest):
        request = said(gateway)
        label = door.call("AttachLabel", request).message.label
        asked = DeleteLabelRequest(id=label.id)
        withdrawn = door.call("DeleteLabel", asked).message.label
        assert both(gateway, "DeleteLabel", asked).label == withdrawn
        assert (withdrawn.label, withdrawn.annotator) == ("", request.annotator)
        prediction = both(gateway, "GetPrediction", GetPredictionRequest(id=request.prediction_id))
        assert not prediction.prediction.HasField("label")
