"""What cannot be worked on ends by itself, and does not take its neighbours with it."""

import json
from typing import Any
from uuid import uuid4

import pytest
from google.rpc import code_pb2
from predict.v1.prediction_service_pb2 import (
    CreatePredictionRequest,
    GetPredictionRequest,
    WaitPredictionRequest,
)

from tests.e2e.mesh import Mesh
from tests.e2e.oracle import Oracle
from tests.e2e.texts import new_text
from tests.e2e.workload import Ask, asks, check_settled, insist_on
from tests.parts.doors import Answer
from tests.parts.polling import wait_until

MAX_ATTEMPTS = 5
FAR_FUTURE = 9_999


def test_a_text_that_kills_its_worker_fails_and_its_neighbours_succeed(
    mesh: Mesh, oracle: Oracle
) -> None:
    poison = Ask("sentiment", later=True, text=f"poison {new_text()}")
    requests = asks(10, now=False)
    requests.insert(7, poison)
    place = "inference.server:ModelServer.infer:before"
    with mesh.fault("worker-sentiment", place, text="poison", times=FAR_FUTURE) as fault:
        insist_on(mesh, requests)
        finished = wait(mesh, poison.prediction_id)
        assert fault.deaths == MAX_ATTEMPTS
        error = Answer(finished.error)
        assert error.info.reason == "ATTEMPTS_EXHAUSTED"
        assert error.info.metadata["attempts"] == str(MAX_ATTEMPTS)
        assert "poison" not in str(finished.error)
        requests.remove(poison)
        check_settled(mesh, oracle, requests)


def wait(mesh: Mesh, prediction_id: str) -> Any:
    request = WaitPredictionRequest(id=prediction_id)
    request.timeout.FromSeconds(100)
    return mesh.grpc.call("WaitPrediction", request, timeout_s=110).message.prediction


def attributes(event: str) -> dict[str, Any]:
    return {
        name: {"DataType": "String", "StringValue": value}
        for name, value in {"event": event, "action": "sentiment", "version": "1"}.items()
    }


JUNK = [
    "",
    "{",
    "null",
    "\x00",
    "[" * 10_000,
    json.dumps({"predictionId": "7"}),
    json.dumps({"predictionId": str(uuid4()), "model": "sentiment", "version": "1"}),
    json.dumps({"predictionId": str(uuid4()), "model": "genre", "attempt": 1, "output": {}}),
]


def test_messages_that_nobody_can_read_do_no_harm(mesh: Mesh, oracle: Oracle) -> None:
    bus = mesh.bus
    for queue in ("predict-sentiment", "predict-gateway"):
        for body in JUNK:
            for event in ("inference_request", "inference_response", "nonsense"):
                bus.sqs.send_message(
                    QueueUrl=bus.url(queue),
                    MessageBody=body or " ",
                    MessageAttributes=attributes(event),
                )
        bus.sqs.send_message(QueueUrl=bus.url(queue), MessageBody="no attributes")
    requests = asks(10, now=False)
    insist_on(mesh, requests)
    check_settled(mesh, oracle, requests)
    queues = ("predict-sentiment", "predict-gateway")
    every = [name for queue in queues for name in (queue, f"{queue}-dead")]
    wait_until(lambda: sum(bus.depth(queue) for queue in every) == 0)


def accepted(mesh: Mesh) -> str:
    request = CreatePredictionRequest(model="sentiment", text=new_text())
    return str(mesh.grpc.call("CreatePrediction", request).message.prediction.id)


FORGED = {"negative": 0.0, "neutral": 0.0, "positive": 1.0}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"claimToken": ""},
        {"claimToken": "any"},
        {"attempt": 1},
        {"model": "genre"},
        {"version": "2"},
        {"output": {"label": "wonderful", "confidence": 1, "scores": {"wonderful": 1}}},
        {"output": {"label": "positive", "confidence": 7, "scores": {**FORGED, "positive": 7}}},
        {"featuresUri": "s3://somebody-elses/object.parquet#row=0"},
    ],
    ids=str,
)
def test_a_forged_answer_is_dropped(mesh: Mesh, oracle: Oracle, changes: dict[str, Any]) -> None:
    with mesh.stopped("worker-sentiment"):
        ask = Ask("sentiment", later=True)
        ask.insist(mesh)
        answer = {
            "eventId": str(uuid4()),
            "predictionId": ask.prediction_id,
            "model": "sentiment",
            "version": "1",
            "claimToken": str(uuid4()),
            "output": {"label": "positive", "confidence": 1, "scores": FORGED},
        }
        mesh.bus.forge(answer | changes)
        wait_until(lambda: mesh.bus.depth("predict-gateway") == 0)
        request = GetPredictionRequest(id=ask.prediction_id)
        got = mesh.grpc.call("GetPrediction", request)
        assert got.status.code == code_pb2.OK
        assert not got.message.prediction.HasField("output")
    check_settled(mesh, oracle, [ask])
