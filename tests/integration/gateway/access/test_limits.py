"""Limits of texts a second by each door."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from predict.v1 import prediction_service_pb2 as pb

from contract.access import policy
from tests.integration.gateway.access.conftest import ROLES, TOKENS
from tests.integration.gateway.access.serving import (
    MODEL,
    OTHER_MODEL,
    Caller,
    Serving,
    reason_of,
    serving,
)
from tests.parts.postgres import Postgres
from tests.parts.refusals import check_reason

BURST = 5
ANN, BOB, EVE, EDA = (Caller(name, ("app",)) for name in ("ann", "bob", "eve", "eda"))


@pytest.fixture(scope="module")
def gateway(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Where each caller may send five texts a second, and one model is sent three."""
    database = postgres.create_database()
    limited = policy(TOKENS, ROLES, {"caller": BURST, "models": {OTHER_MODEL: BURST - 2}})
    with serving(database, tmp_path_factory.mktemp("limits"), limited) as found:
        yield found
    postgres.drop_database(database)


def request(text: str = "good") -> pb.PredictRequest:
    return pb.PredictRequest(model=MODEL, text=text)


def test_a_batch_is_counted_by_its_texts(gateway: Serving) -> None:
    entries = [pb.BatchPredictEntry(text="good")] * 100
    batch = pb.BatchPredictRequest(model=MODEL, entries=entries)
    results = gateway.ask("BatchPredict", batch, ANN).results
    reasons = Counter(reason_of(result.error) for result in results)
    assert reasons.keys() == {"", "RATE_LIMITED"}
    assert reasons[""] >= BURST


@pytest.mark.parametrize("door", ["Predict", "CreatePrediction"])
def test_more_texts_than_may_are_refused_with_a_time_to_come_again(
    gateway: Serving, door: str
) -> None:
    """As many as it takes: on a slow machine there are new tokens meanwhile."""
    kind: Any = getattr(pb, f"{door}Request")
    caller = Caller(door, ("app",))
    outcomes = (gateway.call(door, kind(model=MODEL, text="good"), caller) for _ in range(1000))
    refused = next(outcome for outcome in outcomes if outcome.reason)
    check_reason(refused.answer, "RATE_LIMITED")


@pytest.mark.parametrize("door", ["Predict", "CreatePrediction", "BatchPredict"])
def test_a_model_has_a_limit_by_each_door(gateway: Serving, door: str) -> None:
    caller = Caller(f"{door} of the other", ("app-of-the-other",))
    entries = {"entries": [pb.BatchPredictEntry(text="good")] * BURST}
    fields = entries if door == "BatchPredict" else {"text": "good"}
    one: Any = getattr(pb, f"{door}Request")(model=OTHER_MODEL, **fields)
    outcomes = (gateway.call(door, one, caller) for _ in range(1000))
    refused = next(outcome for outcome in outcomes if outcome.reason)
    assert refused.reason == "RATE_LIMITED"
    assert "model may send 3" in f"{refused.details} {refused.messages}"


def test_a_stream_waits_for_its_models_turn_too(gateway: Serving) -> None:
    one = pb.PredictRequest(model=OTHER_MODEL, text="good")
    requests = [pb.StreamPredictRequest(request=one) for _ in range(BURST)]
    outcome = gateway.call("StreamPredict", requests, Caller("streaming", ("app-of-the-other",)))
    assert [message.prediction.text for message in outcome.messages] == ["good"] * BURST


def test_a_stream_waits_for_its_turn(gateway: Serving) -> None:
    requests = [pb.StreamPredictRequest(request=request()) for _ in range(2 * BURST)]
    began = time.monotonic()
    outcome = gateway.call("StreamPredict", requests, BOB)
    assert time.monotonic() - began > 0.9  # fewer tokens come, however slow or fast the machine is
    assert [message.prediction.text for message in outcome.messages] == ["good"] * 2 * BURST


def test_who_is_refused_is_not_in_the_record_and_keeps_nobody_else_waiting(
    gateway: Serving,
) -> None:
    entries = [pb.BatchPredictEntry(text="good")] * 256
    batch = pb.BatchPredictRequest(model=MODEL, entries=entries)
    results = gateway.ask("BatchPredict", batch, EVE).results
    assert gateway.predict(EDA).id
    made = sum(bool(result.prediction.id) for result in results)
    with gateway.database.connect() as connection:
        rows = connection.execute(
            "SELECT count(*) AS count FROM requests WHERE caller = %s", (EVE.name,)
        ).fetchone()
    assert rows == {"count": made}
