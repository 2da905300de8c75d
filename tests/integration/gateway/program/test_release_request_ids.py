"""A request_id of CreateRelease stands for what is asked, whoever says why."""

from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2
from predict.v1.model_pb2 import ReleaseAction
from predict.v1.model_service_pb2 import CreateReleaseRequest

from tests.integration.gateway.program.running import Running


def asked(**others: object) -> CreateReleaseRequest:
    fields = {"model": "sentiment", "version": "3", "steps": [1, 100], "actor": "anna"}
    return CreateReleaseRequest(**(fields | others))  # type: ignore[arg-type]


def test_who_asks_and_why_is_not_compared(gateway: Running) -> None:
    request_id = str(uuid4())
    first = gateway.grpc.call("CreateRelease", asked(request_id=request_id))
    again = asked(request_id=request_id, actor="bob", reason="again", etag="of-then")
    assert gateway.grpc.call("CreateRelease", again).message.release == first.message.release


@pytest.mark.parametrize(
    "others",
    [
        {"model": "silent"},
        {"version": "4"},
        {"steps": [2, 100]},
        {"pause": Duration(seconds=1)},
        {"quality_margin": 0.5},
        {"action": ReleaseAction.RELEASE_ACTION_PROMOTE, "version": "", "steps": []},
    ],
    ids=lambda others: next(iter(others)),
)
def test_with_anything_else_it_is_refused(gateway: Running, others: dict[str, object]) -> None:
    request_id = str(uuid4())
    assert gateway.grpc.call("CreateRelease", asked(request_id=request_id)).message
    answer = gateway.grpc.call("CreateRelease", asked(request_id=request_id, **others))
    assert answer.status.code == code_pb2.ALREADY_EXISTS
    assert answer.info.reason == "REQUEST_ID_REUSED"
