"""Every rpc about a prediction or a label, finished or not or erased, asked by everybody: who may
is answered as its owner is, and anybody else as if it were not there.
"""

from collections.abc import Callable

import pytest
from google.protobuf.message import Message
from predict.v1 import feedback_service_pb2 as feedback
from predict.v1 import prediction_service_pb2 as pb

from contract.ids import uuid7
from tests.integration.gateway.access.rows import ROWS, About, accepted, finished
from tests.integration.gateway.access.serving import Caller, Serving
from tests.integration.gateway.access.test_matrix import CALLERS, OWNER, expected, recorded, told


def erased(gateway: Serving, caller: Caller) -> str:
    return erase(gateway, caller, finished(gateway, caller))


def erase(gateway: Serving, caller: Caller, id_: str) -> str:
    gateway.ask("DeletePrediction", pb.DeletePredictionRequest(id=id_), caller)
    return id_


def cancelled(gateway: Serving, caller: Caller) -> str:
    id_ = accepted(gateway, caller)
    gateway.ask("CancelPrediction", pb.CancelPredictionRequest(id=id_), caller)
    return id_


STATES: dict[str, Callable[[Serving, Caller], str]] = {
    "finished": finished,
    "unfinished": accepted,
    "cancelled": cancelled,
    "erased": erased,
}
LABELLED = [state for state in STATES if state != "unfinished"]
"""In which one may have a label."""
CALLS = [
    (rpc, state)
    for about, states in ((About.PREDICTION, STATES), (About.LABEL, LABELLED))
    for rpc, row in ROWS.items()
    for state in states
    if row.about is about
]
OTHERWISE = {
    ("CancelPrediction", "finished"): "PREDICTION_FINISHED",
    ("CancelPrediction", "erased"): "PREDICTION_FINISHED",
    ("DeletePrediction", "unfinished"): "PREDICTION_UNFINISHED",
    ("AttachLabel", "unfinished"): "PREDICTION_UNFINISHED",
    ("BatchAttachLabels", "unfinished"): "PREDICTION_UNFINISHED",
    ("AttachLabel", "erased"): "PREDICTION_ERASED",
    ("BatchAttachLabels", "erased"): "PREDICTION_ERASED",
}
"""Why it is refused to whoever may."""


def labelled(gateway: Serving, state: str) -> tuple[str, str]:
    """The ids of a prediction and of a label of it, which stays when that is erased."""
    id_ = (finished if state == "erased" else STATES[state])(gateway, OWNER)
    label = gateway.label(OWNER, id_)
    if state == "erased":
        erase(gateway, OWNER, id_)
    return id_, label


def request(rpc: str, id_: str) -> Message:
    if rpc == "WaitPrediction":
        return pb.WaitPredictionRequest(id=id_, timeout={"nanos": 1_000_000})
    return ROWS[rpc].request(id_)


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize(("rpc", "state"), CALLS)
def test_who_may_is_answered_as_its_owner_and_anybody_else_as_of_nothing(
    gateway: Serving, rpc: str, state: str, who: str
) -> None:
    reason = expected(rpc, who)
    if not reason and (rpc, state) == ("WatchPrediction", "unfinished"):
        return  # has no end
    is_label = ROWS[rpc].about is About.LABEL
    id_ = labelled(gateway, state)[1] if is_label else STATES[state](gateway, OWNER)
    caller = CALLERS[who]
    before = recorded(gateway, id_)
    outcome = gateway.call(rpc, request(rpc, id_), caller)
    if not reason:
        assert outcome.reason == OTHERWISE.get((rpc, state), "")
        return
    assert outcome.reason == reason
    unknown = uuid7()
    of_nothing = gateway.call(rpc, request(rpc, unknown), caller)
    assert told(outcome, id_) == told(of_nothing, unknown)
    assert recorded(gateway, id_) == before


@pytest.mark.parametrize("state", LABELLED)
def test_labels_of_one_out_of_reach_are_as_those_of_none(gateway: Serving, state: str) -> None:
    id_, unknown = labelled(gateway, state)[0], uuid7()
    elsewhere, labeller = CALLERS["of another model"], CALLERS["labeller"]
    mine, of_it, of_nothing = (
        told(gateway.call("ListLabels", feedback.ListLabelsRequest(prediction_id=one), who), one)
        for one, who in ((id_, labeller), (id_, elsewhere), (unknown, elsewhere))
    )
    assert of_it == of_nothing != mine
