"""Every reason of the contract, produced by the gateway's program and read through both doors.

How each comes about is one line of WAYS. What comes with it, its code, HTTP status, metadata and
delay, is what the contract says of it (the traits in error_reason.proto).
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import grpc
import psycopg
import pytest
from google.protobuf.message import Message
from predict.v1 import model_service_pb2 as models
from predict.v1 import prediction_service_pb2 as pb
from predict.v1.feedback_service_pb2 import AttachLabelRequest, DeleteLabelRequest
from predict.v1.monitoring_service_pb2 import GetReferenceRequest

from contract.errors import AttemptsExhausted, PredictError, Undeliverable
from contract.reasons import (
    all_reasons,
    reason_name,
)
from relay.completions import fail
from tests.integration.gateway.program.running import (
    CALLER_HEADER,
    MAX_WAITING,
    Running,
    register,
    running,
)
from tests.parts.doors import Answer, Door, failed, refused
from tests.parts.polling import wait_until
from tests.parts.refusals import UNKNOWN, check_reason

PREDICT = "/v1/models/sentiment:predict"
NO_TOKEN = "?"  # noqa: S105
SPLIT = [{"version": "12", "percent": 99}]
TWO_SPLITS = models.SetTrafficRequest(model="sentiment", traffic=SPLIT, shares=SPLIT)
PROMOTE_A_VERSION = models.CreateReleaseRequest(
    model="sentiment", action="RELEASE_ACTION_PROMOTE", version="12"
)


@dataclass(frozen=True)
class Way:
    """How a reason comes about through each door; None: this door cannot have it."""

    grpc: Callable[[Running], Answer] | None
    rest: Callable[[Running], Answer] | None


def asking(rpc: str, request: Message) -> Way:
    """By a request that both doors can express."""
    return Way(lambda g: g.grpc.call(rpc, request), lambda g: g.rest.call(rpc, request))


def predicting(**fields: Any) -> Way:
    """By a call of Predict."""
    return asking("Predict", predict_request(**fields))


def predict_request(**fields: Any) -> pb.PredictRequest:
    return pb.PredictRequest(**{"model": "sentiment", "text": "a text", **fields})


def through_both(way: Callable[[Running, Door], Answer]) -> Way:
    return Way(lambda g: way(g, g.grpc), lambda g: way(g, g.rest))


def sending(payload: bytes) -> Callable[[Running], Answer]:
    """By bytes as a message of Predict."""
    return lambda g: g.grpc.send("Predict", payload)


def http(method: str, path: str, **what: Any) -> Callable[[Running], Answer]:
    """By a request of HTTP."""
    return lambda g: refused(g.rest.client.request(method, path, **what))


def body(content: bytes, content_type: str = "application/json") -> Callable[[Running], Answer]:
    """By this body of a call of Predict."""
    return http("POST", PREDICT, content=content, headers={"content-type": content_type})


def predict(door: Door, **fields: str) -> Answer:
    return door.call("Predict", predict_request(**fields))


def unknown_method(gateway: Running) -> Answer:
    return call_path(gateway, "/predict.v1.PredictionService/Forget")


def two_callers(gateway: Running) -> Answer:
    names = ((CALLER_HEADER, "anna"), (CALLER_HEADER, "otto"))
    return call_path(gateway, "/predict.v1.ModelService/ListModels", metadata=names)


def call_path(gateway: Running, path: str, **options: Any) -> Answer:
    call: Any = gateway.grpc.channel.unary_unary(path)
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", timeout=10, **options)
    return failed(raised.value)


def reuse_a_request_id(gateway: Running, door: Door) -> Answer:
    request_id = str(uuid4())
    assert predict(door, request_id=request_id).message
    return predict(door, request_id=request_id, text="another text")


def cancel_what_is_finished(gateway: Running, door: Door) -> Answer:
    id_ = predict(door).message.prediction.id
    return door.call("CancelPrediction", pb.CancelPredictionRequest(id=id_))


def cancel_what_is_held(gateway: Running, door: Door) -> Answer:
    (id_,) = gateway.requests.accept()
    with gateway.database.connect() as connection, connection.transaction():
        connection.execute("SELECT FROM requests WHERE id = %s FOR UPDATE", (id_,))
        return door.call("CancelPrediction", pb.CancelPredictionRequest(id=id_))


def ask_too_much(gateway: Running, door: Door) -> Answer:
    with ThreadPoolExecutor(4 * MAX_WAITING) as pool, gateway.model.held():
        waiting = [pool.submit(predict, gateway.grpc) for _ in range(4 * MAX_WAITING)]
        answer = predict(door)
    assert any(call.result().message for call in waiting)
    return answer


def ask_for_too_long(gateway: Running, door: Door) -> Answer:
    wait_until(lambda: predict(gateway.grpc).message)  # after a hold of before
    with gateway.model.held():
        return predict(door)


@contextmanager
def no_right_to_read(gateway: Running) -> Iterator[None]:
    with gateway.database.connect() as connection:
        connection.execute("REVOKE SELECT ON predictions FROM pmesh_gateway")
        try:
            yield
        finally:
            connection.execute("GRANT SELECT ON predictions TO pmesh_gateway")


def break_a_promise(gateway: Running, door: Door) -> Answer:
    with no_right_to_read(gateway):
        return door.call("GetPrediction", pb.GetPredictionRequest(id=UNKNOWN))


def failed_with(reason: PredictError) -> Way:
    """By a prediction that the relay has noted as FAILED."""

    def way(gateway: Running, door: Door) -> Answer:
        (id_,) = gateway.requests.accept()

        async def end() -> None:
            conninfo = gateway.database.conninfo
            async with await psycopg.AsyncConnection.connect(conninfo) as connection:
                await fail(connection, {id_: reason})

        asyncio.run(end())
        found = door.call("GetPrediction", pb.GetPredictionRequest(id=id_))
        error = found.message.prediction.error
        return Answer(error, text=str(error))

    return through_both(way)


def list_what_is_locked(gateway: Running, door: Door) -> Answer:
    with gateway.database.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE predictions")
        return door.call("ListPredictions", pb.ListPredictionsRequest())


def pause_what_has_ended(gateway: Running, door: Door) -> Answer:
    history = gateway.grpc.call("ListReleases", models.ListReleasesRequest(model="sentiment"))
    ended = history.message.releases[0]
    return door.call("PauseRelease", models.PauseReleaseRequest(id=ended.id))


def attach(door: Door, prediction_id: str = "", **fields: Any) -> Answer:
    """By a label on a prediction that is made for it, unless one is given."""
    prediction_id = prediction_id or predict(door).message.prediction.id
    fields = {"label": "positive", **fields}
    return door.call("AttachLabel", AttachLabelRequest(prediction_id=prediction_id, **fields))


def label_what_is_unfinished(gateway: Running, door: Door) -> Answer:
    return attach(door, *gateway.requests.accept())


def label_what_is_erased(gateway: Running, door: Door) -> Answer:
    id_ = predict(door).message.prediction.id
    gateway.requests.execute(
        "UPDATE requests SET text = '', erase_time = now() WHERE id = %s", (id_,)
    )
    return attach(door, id_)


def label_too_often(gateway: Running, door: Door) -> Answer:
    id_ = predict(door).message.prediction.id
    gateway.requests.execute(
        "INSERT INTO labels (prediction_id, model, label, source, annotator, label_time)"
        " SELECT %s, 'sentiment', 'positive', 'PERSON', n::text, now()"
        " FROM generate_series(1, 1000) AS n",
        (id_,),
    )
    assert attach(door, id_, source="LABEL_SOURCE_PERSON", annotator="7").message  # said already
    return attach(door, id_)


def withdraw_what_is_corrected(gateway: Running, door: Door) -> Answer:
    first = attach(door).message.label
    assert attach(door, first.prediction_id, label="negative").message
    return door.call("DeleteLabel", DeleteLabelRequest(id=first.id))


def reuse_an_external_id(gateway: Running, door: Door) -> Answer:
    name = str(uuid4())
    assert attach(door, external_id=name).message
    return attach(door, external_id=name)  # of another prediction


def outlast_the_drain(name: str) -> Callable[[Running], Answer]:
    """By a call in the work of a gateway that is told to stop. name: of its door."""

    def way(gateway: Running) -> Answer:
        with (
            TemporaryDirectory() as spool,
            running(gateway.database, spool) as leaving,
            leaving.model.held(),
            ThreadPoolExecutor(1) as pool,
        ):
            call = pool.submit(predict, getattr(leaving, name))
            wait_until(lambda: leaving.model.asked)
            leaving.process.send_signal(signal.SIGTERM)
            answer = call.result()
        register(gateway.database, gateway.model_address)  # which the other had moved
        return answer

    return way


WAYS = {
    "TEXT_EMPTY": predicting(text=""),
    "TEXT_BLANK": predicting(text=" \u2003"),
    "TEXT_TOO_LONG": predicting(text="x" * 65_537),
    "TEXT_HAS_NUL": predicting(text="a\0b"),
    "INVALID_UTF8": Way(
        sending(b"\x0a\x09sentiment\x12\x02\xff\xfe"), body(b'{"text": "\xff\xfe"}')
    ),
    "MALFORMED_MESSAGE": Way(sending(b"\xff\xff"), None),
    "MALFORMED_JSON": Way(None, body(b"{")),
    "UNKNOWN_FIELD": Way(
        lambda g: g.grpc.call("CreateRelease", PROMOTE_A_VERSION), body(b'{"txt": "a"}')
    ),
    "WRONG_TYPE": Way(
        lambda g: g.grpc.send("ListPredictions", b"\x20\x63"),  # state 99
        http("GET", "/v1/predictions?state=DONE"),
    ),
    "DUPLICATE_FIELD": Way(
        lambda g: g.grpc.call("SetTraffic", TWO_SPLITS), body(b'{"text": "a", "text": "b"}')
    ),
    "REQUIRED_FIELD_MISSING": asking(
        "SetTraffic", models.SetTrafficRequest(model="sentiment", traffic=[{"percent": 100}])
    ),
    "OUT_OF_RANGE": asking("ListModels", models.ListModelsRequest(page_size=-1)),
    "INVALID_ID": predicting(version="0"),
    "INVALID_TAGS": predicting(tags={"Channel": "mail"}),
    "INVALID_PAGE_TOKEN": asking("ListModels", models.ListModelsRequest(page_token=NO_TOKEN)),
    "INVALID_SPLIT": asking(
        "SetTraffic", models.SetTrafficRequest(model="sentiment", traffic=SPLIT)
    ),
    "INVALID_CALLER": Way(
        two_callers, http("GET", "/v1/models", headers=[(CALLER_HEADER, "a")] * 2)
    ),
    "BATCH_SIZE": asking("BatchPredict", pb.BatchPredictRequest(model="sentiment")),
    "UNSUPPORTED_CONTENT_TYPE": Way(None, body(b"{}", "text/xml")),
    "MODEL_NOT_FOUND": predicting(model="nosuch"),
    "VERSION_NOT_FOUND": predicting(version="99"),
    "PREDICTION_NOT_FOUND": asking("GetPrediction", pb.GetPredictionRequest(id=UNKNOWN)),
    "PATH_NOT_FOUND": Way(unknown_method, http("GET", "/v1/nothing")),
    "METHOD_NOT_ALLOWED": Way(None, http("DELETE", PREDICT)),
    "REQUEST_ID_REUSED": through_both(reuse_a_request_id),
    "PREDICTION_FINISHED": through_both(cancel_what_is_finished),
    "MODEL_NOT_RELEASED": predicting(model="unreleased"),
    "VERSION_NOT_SERVING": asking(
        "SetTraffic",
        models.SetTrafficRequest(model="sentiment", traffic=[{"version": "99", "percent": 100}]),
    ),
    "OVERLOADED": through_both(ask_too_much),
    "MESSAGE_TOO_LARGE": Way(predicting(text="x" * 9_000_000).grpc, body(b" " * 9_000_000)),
    "DEADLINE_EXCEEDED": through_both(ask_for_too_long),
    "MODEL_UNAVAILABLE": predicting(model="silent"),
    "STORE_UNAVAILABLE": through_both(cancel_what_is_held),
    "INTERNAL": through_both(break_a_promise),
    "ATTEMPTS_EXHAUSTED": failed_with(AttemptsExhausted(5)),
    "UNDELIVERABLE": failed_with(Undeliverable()),
    "LIST_TOO_BROAD": through_both(list_what_is_locked),
    "SHUTTING_DOWN": Way(outlast_the_drain("grpc"), outlast_the_drain("rest")),
    "ETAG_MISMATCH": asking(
        "SetTraffic",
        models.SetTrafficRequest(
            model="sentiment", shares=[{"version": "12", "percent": 100}], etag="of yesterday"
        ),
    ),
    "RELEASE_NOT_FOUND": asking("GetRelease", models.GetReleaseRequest(id=UNKNOWN)),
    "RELEASE_FINISHED": through_both(pause_what_has_ended),
    "NO_OTHER_VERSION": asking(
        "CreateRelease",
        models.CreateReleaseRequest(model="sentiment", action="RELEASE_ACTION_PROMOTE"),
    ),
    "MODEL_FAILED": predicting(text="poison"),
    "PREDICTION_UNFINISHED": through_both(label_what_is_unfinished),
    "PREDICTION_ERASED": through_both(label_what_is_erased),
    "LABEL_NOT_OF_MODEL": through_both(lambda g, door: attach(door, label="Positive")),
    "LABEL_NOT_FOUND": asking("DeleteLabel", DeleteLabelRequest(id=UNKNOWN)),
    "REFERENCE_NOT_FOUND": asking(
        "GetReference", GetReferenceRequest(model="sentiment", version="12")
    ),
    "LABEL_CORRECTED": through_both(withdraw_what_is_corrected),
    "TOO_MANY_LABELS": through_both(label_too_often),
    "EXTERNAL_ID_REUSED": through_both(reuse_an_external_id),
}


OF_ACCESS = {"UNAUTHENTICATED", "PERMISSION_DENIED", "RATE_LIMITED", "KEYS_UNAVAILABLE"}
"""What tests/integration/gateway/access and envoy/access come to, where callers need tokens."""


def test_the_table_has_every_reason() -> None:
    assert WAYS.keys() | OF_ACCESS == {reason_name(reason) for reason in all_reasons()}
    assert not WAYS.keys() & OF_ACCESS


@pytest.mark.parametrize(
    ("name", "door"),
    [(name, door) for name, way in WAYS.items() for door in ("grpc", "rest") if getattr(way, door)],
)
def test_a_reason_comes_with_what_the_contract_says_of_it(
    gateway: Running, name: str, door: str
) -> None:
    answer: Answer = getattr(WAYS[name], door)(gateway)
    check_reason(answer, name, code=12 if (name, door) == ("PATH_NOT_FOUND", "grpc") else None)
