"""Every way in which a request can end, through every door: what the record says of it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import uuid4

import grpc
import httpx
import psycopg
import pytest
from google.rpc.status_pb2 import Status
from predict.v1 import prediction_service_pb2 as pb
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from contract.status import error_info
from tests.integration.gateway.program.running import MAX_CALL_S, Running
from tests.parts.doors import Door
from tests.parts.polling import wait_until
from tests.parts.refusals import UNKNOWN

Ask = Callable[[Running, str, str, float], None]
"""A request with a model, a text and a deadline in seconds."""


def by_grpc(gateway: Running, model: str, text: str, timeout_s: float) -> None:
    request = pb.PredictRequest(model=model, text=text, tags={"door": "grpc"})
    gateway.grpc.call("Predict", request, timeout_s=timeout_s)


def by_rest(gateway: Running, model: str, text: str, timeout_s: float) -> None:
    gateway.rest.client.post(
        f"/v1/models/{model}:predict",
        json={"text": text, "tags": {"door": "rest"}},
    )


def by_batch(gateway: Running, model: str, text: str, timeout_s: float) -> None:
    entry = pb.BatchPredictEntry(text=text, tags={"door": "batch"})
    request = pb.BatchPredictRequest(model=model, entries=[entry])
    gateway.grpc.call("BatchPredict", request, timeout_s=timeout_s)


def by_stream(gateway: Running, model: str, text: str, timeout_s: float) -> None:
    request = pb.PredictRequest(model=model, text=text, tags={"door": "stream"})
    stub = PredictionServiceStub(gateway.grpc.channel)
    call = stub.StreamPredict(iter([pb.StreamPredictRequest(request=request)]), timeout=timeout_s)
    with suppress(grpc.RpcError):
        list(call)


DOORS: dict[str, Ask] = {"grpc": by_grpc, "rest": by_rest, "batch": by_batch, "stream": by_stream}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def rows(gateway: Running, text: str) -> list[dict[str, Any]]:
    return gateway.requests.query(
        "SELECT id::text, version, state::text, reason, tags, error,"
        " extract(epoch FROM complete_time - create_time)::float8 AS seconds"
        " FROM requests WHERE text = %s",
        (text,),
    )


def row(gateway: Running, text: str) -> dict[str, Any]:
    wait_until(lambda: rows(gateway, text))
    (found,) = rows(gateway, text)
    return found


def event_states(gateway: Running, prediction_id: str) -> list[str]:
    return [
        prediction["state"]
        for event in gateway.requests.query(
            "SELECT payload FROM outbox WHERE event = 'job_completed'"
        )
        for prediction in event["payload"]["predictions"]
        if prediction["predictionId"] == prediction_id
    ]


def test_a_text_that_the_model_cannot_process(gateway: Running, door: str) -> None:
    before = set(map(str, (r["id"] for r in rows(gateway, "poison"))))
    DOORS[door](gateway, "sentiment", "poison", 30)
    (found,) = [r for r in rows(gateway, "poison") if r["id"] not in before]
    assert (found["state"], found["reason"]) == ("FAILED", "MODEL_FAILED")
    assert (found["version"], found["tags"]) == ("12", {"door": door})
    assert event_states(gateway, found["id"]) == ["PREDICTION_STATE_FAILED"]
    read = gateway.rest.call("GetPrediction", pb.GetPredictionRequest(id=found["id"])).message
    assert read.prediction.error.code == grpc.StatusCode.INTERNAL.value[0]
    assert dict(read.prediction.tags) == {"door": door}
    assert not read.prediction.HasField("output")


def test_a_model_that_does_not_answer(gateway: Running, door: str) -> None:
    text = f"silent {door}"
    DOORS[door](gateway, "silent", text, 30)
    assert row(gateway, text)["reason"] == "MODEL_UNAVAILABLE"


def test_a_model_without_a_version(gateway: Running, door: str) -> None:
    text = f"unreleased {door}"
    DOORS[door](gateway, "unreleased", text, 30)
    found = row(gateway, text)
    assert (found["reason"], found["version"]) == ("MODEL_NOT_RELEASED", "")


def test_the_same_by_the_queue(gateway: Running) -> None:
    gateway.grpc.call(
        "CreatePrediction", pb.CreatePredictionRequest(model="unreleased", text="for later")
    )
    assert row(gateway, "for later")["reason"] == "MODEL_NOT_RELEASED"


def test_a_deadline_that_passes(gateway: Running, door: str) -> None:
    text = f"deadline {door}"
    with gateway.model.held():
        DOORS[door](gateway, "sentiment", text, 0.5 if door != "rest" else MAX_CALL_S)
        found = row(gateway, text)
    assert (found["state"], found["reason"]) == ("FAILED", "DEADLINE_EXCEEDED")
    assert 0.4 < found["seconds"] < MAX_CALL_S + 2
    wait_until(lambda: answers(gateway))  # after the hold


def test_a_client_that_leaves(gateway: Running) -> None:
    with gateway.model.held():
        stub = PredictionServiceStub(gateway.grpc.channel)
        call = stub.Predict.future(pb.PredictRequest(model="sentiment", text="leaves"))
        time.sleep(0.5)
        call.cancel()
        found = row(gateway, "leaves")
    assert (found["state"], found["reason"], found["error"]) == ("CANCELLED", "", None)
    assert event_states(gateway, found["id"]) == ["PREDICTION_STATE_CANCELLED"]
    wait_until(lambda: answers(gateway))


def answers(gateway: Running) -> Any:
    return gateway.grpc.call("Predict", pb.PredictRequest(model="sentiment", text="ok")).message


def counted(gateway: Running, reason: str) -> float:
    text = httpx.get(gateway.metrics_url, trust_env=False).text
    line = f'predict_unrecorded_total{{reason="{reason}"}}'
    return sum(float(each.split()[-1]) for each in text.splitlines() if each.startswith(line))


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("MODEL_NOT_FOUND", {"model": "nosuch"}),
        ("VERSION_NOT_FOUND", {"version": "99"}),
        ("TEXT_TOO_LONG", {"text": "x" * 65_537}),
        ("INVALID_TAGS", {"tags": {"Bad": "x"}}),
    ],
)
def test_what_is_invalid_or_unknown_is_counted_only(
    gateway: Running, reason: str, fields: dict[str, Any]
) -> None:
    size = len(gateway.requests.query("SELECT FROM requests"))
    before = counted(gateway, reason)
    request = pb.PredictRequest(**{"model": "sentiment", "text": f"counted {reason}", **fields})
    stub = PredictionServiceStub(gateway.grpc.channel)
    (answer,) = stub.StreamPredict(iter([pb.StreamPredictRequest(request=request)]), timeout=30)
    assert answer.HasField("error")
    assert counted(gateway, reason) == before + 1
    assert len(gateway.requests.query("SELECT FROM requests")) == size


def test_what_is_shed_is_counted_only(gateway: Running) -> None:
    before = counted(gateway, "OVERLOADED")
    with ThreadPoolExecutor(64) as pool, gateway.model.held():
        request = pb.PredictRequest(model="sentiment", text="shed")
        calls = [pool.submit(gateway.grpc.call, "Predict", request) for _ in range(64)]
        wait_until(lambda: sum(call.done() for call in calls) > 0)
    outcomes = [call.result() for call in calls]
    shed = [answer for answer in outcomes if answer.message is None]
    assert {answer.info.reason for answer in shed} == {"OVERLOADED"}
    assert counted(gateway, "OVERLOADED") == before + len(shed)
    assert len(rows(gateway, "shed")) == len(outcomes) - len(shed)


def test_a_failure_that_may_be_tried_again_leaves_its_request_id_free(gateway: Running) -> None:
    request = pb.PredictRequest(model="sentiment", text="again", request_id=str(uuid4()))
    with gateway.model.held():
        late = gateway.grpc.call("Predict", request, timeout_s=0.5)
        assert late.status.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
        wait_until(lambda: rows(gateway, "again"))
    wait_until(lambda: answers(gateway))
    assert gateway.grpc.call("Predict", request).message.prediction.output.label
    states = sorted(found["state"] for found in rows(gateway, "again"))
    assert states == ["FAILED", "SUCCEEDED"]


def test_a_final_failure_is_answered_again(gateway: Running) -> None:
    request = pb.PredictRequest(model="sentiment", text="poison", request_id=str(uuid4()))
    first, second = (gateway.grpc.call("Predict", request) for _ in range(2))
    assert first.info.reason == second.info.reason == "MODEL_FAILED"
    claimed = gateway.requests.query(
        "SELECT r.state::text FROM request_ids i JOIN requests r USING (id) WHERE request_id = %s",
        (request.request_id,),
    )
    assert claimed == [{"state": "FAILED"}]


def test_tags_are_kept_by_every_door_and_listed(gateway: Running, door: str) -> None:
    text = f"tagged {door}"
    DOORS[door](gateway, "sentiment", text, 30)
    assert row(gateway, text)["tags"] == {"door": door}
    page = gateway.rest.call("ListPredictions", pb.ListPredictionsRequest(page_size=1000)).message
    (found,) = [p for p in page.predictions if p.text == text]
    assert dict(found.tags) == {"door": door}


def test_without_tags_there_are_none(gateway: Running) -> None:
    gateway.grpc.call("Predict", pb.PredictRequest(model="sentiment", text="untagged"))
    assert row(gateway, "untagged")["tags"] is None


GOOD = [{"a": "b"}, {f"k{i}": "v" for i in range(8)}, {"a" + "b" * 31: "é" * 32}]
BAD = [
    {f"k{i}": "v" for i in range(9)},
    *({key: "v"} for key in ("", "A", "1a", "a-b", "a" * 33, "ä")),
    *({"a": value} for value in ("", "x" * 65, "é" * 33, "a\0b")),
]


@pytest.mark.parametrize("tags", BAD)
def test_bad_tags_are_refused_alike(gateway: Running, tags: dict[str, str]) -> None:
    for rpc, kind in (
        ("Predict", pb.PredictRequest),
        ("CreatePrediction", pb.CreatePredictionRequest),
    ):
        request = kind(model="sentiment", text="a text", tags=tags)
        for answer in (gateway.grpc.call(rpc, request), gateway.rest.call(rpc, request)):
            assert (answer.info.reason, answer.fields) == ("INVALID_TAGS", ["tags"])
            assert answer.info.metadata == {"field": "tags"}


@pytest.mark.parametrize("tags", GOOD)
def test_good_tags_are_not(gateway: Running, tags: dict[str, str]) -> None:
    request = pb.PredictRequest(model="sentiment", text="a text", tags=tags)
    for answer in (gateway.grpc.call("Predict", request), gateway.rest.call("Predict", request)):
        assert dict(answer.message.prediction.tags) == tags


SECRET = "a very private sentence"  # noqa: S105


def everywhere(gateway: Running, text: str) -> list[str]:
    """The tables of the schema with a row that has this text in any column."""
    tables = gateway.requests.query(
        "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    found = []
    with psycopg.connect(gateway.database.conninfo) as connection:
        for table in (row["name"] for row in tables):
            sql = f"SELECT FROM {table} AS t WHERE t::text ~ %s LIMIT 1"
            as_bytes = text.encode().hex()
            if connection.execute(sql, (f"{text}|{as_bytes}",)).rowcount:  # type: ignore[call-overload]
                found.append(table)
        connection.execute("ANALYZE")
        sql = "SELECT 'statistics of ' || tablename || '.' || attname FROM pg_stats AS s"
        found += [name for (name,) in connection.execute(sql + " WHERE s::text ~ %s", (text,))]
    return found


@pytest.mark.parametrize("text", [SECRET, "poison"])
def test_erased_means_erased(gateway: Running, text: str) -> None:
    request = pb.PredictRequest(
        model="sentiment", text=text, request_id=str(uuid4()), tags={"who": "anna"}
    )
    gateway.grpc.call("Predict", request)
    (id_,) = [r["id"] for r in rows(gateway, text) if r["tags"] == {"who": "anna"}]
    before = gateway.grpc.call("GetPrediction", pb.GetPredictionRequest(id=id_)).message.prediction
    delete = pb.DeletePredictionRequest(id=id_)
    erased = gateway.rest.call("DeletePrediction", delete).message.prediction
    assert erased.HasField("erase_time")
    assert (erased.text, dict(erased.tags), erased.features_uri) == ("", {}, "")
    assert erased.error.message == ""
    assert erased.error.code == before.error.code
    kept = ("model", "version", "state", "output", "create_time", "complete_time")
    assert [getattr(erased, name) for name in kept] == [getattr(before, name) for name in kept]
    assert gateway.grpc.call("DeletePrediction", delete).message.prediction == erased
    assert "anna" not in str(gateway.requests.get(id_))
    if text == SECRET:
        assert everywhere(gateway, text) == []
    for door in (gateway.grpc, gateway.rest):
        for error in asked_again(door, request):
            info = error_info(error)
            assert (info.reason, info.metadata["prediction"]) == ("PREDICTION_ERASED", id_)


def asked_again(door: Door, request: pb.PredictRequest) -> list[Status]:
    """How each way to predict refuses what one has predicted."""
    text, request_id = request.text, request.request_id
    later = pb.CreatePredictionRequest(model=request.model, text=text, request_id=request_id)
    entry = pb.BatchPredictEntry(text=text, request_id=request_id)
    batch = pb.BatchPredictRequest(model=request.model, entries=[entry])
    (result,) = door.call("BatchPredict", batch).message.results
    errors = [door.call("Predict", request).status, door.call("CreatePrediction", later).status]
    return [*errors, result.error]


def test_what_is_unknown_cannot_be_erased(gateway: Running) -> None:
    answer = gateway.rest.call("DeletePrediction", pb.DeletePredictionRequest(id=UNKNOWN))
    assert answer.info.reason == "PREDICTION_NOT_FOUND"
