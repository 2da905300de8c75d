"""Answers that no worker gave: anybody who reaches the topic may publish them."""

from typing import Any
from uuid import uuid4

import pytest

from contract.ids import uuid7
from model_runtime.claims import Claim
from tests.integration.relay.conftest import StartRelay
from tests.integration.relay.process import Relay
from tests.parts.bus_probe import Bus
from tests.parts.claims import answer, error_answer, to_body
from tests.parts.polling import wait_until
from tests.parts.requests import Requests

FORGERIES: dict[str, dict[str, Any]] = {
    "no token": {"claimToken": None},
    "an empty token": {"claimToken": ""},
    "another token": {"claimToken": str(uuid4())},
    "a token that is none": {"claimToken": "1"},
    "the attempt of former versions": {"claimToken": None, "attempt": 1},
    "another model": {"model": "genre"},
    "another version": {"version": "2"},
    "another prediction": {"predictionId": uuid7()},
    "features elsewhere": {"featuresUri": "s3://elsewhere/x.parquet#row=0"},
    "scores that are no numbers": {
        "output": {"label": "positive", "confidence": 1, "scores": {"positive": "NaN"}}
    },
    "labels of another model": {
        "output": {"label": "news", "confidence": 1, "scores": {"news": 1}}
    },
    "no result": {"output": None},
    "a NUL": {"version": "1\0"},
}


@pytest.fixture
def relay(start_relay: StartRelay) -> Relay:
    return start_relay()


def claim(requests: Requests) -> Claim:
    """Of a new request."""
    (prediction_id,) = requests.accept()
    return requests.claim_one(prediction_id)


def check_dropped(relay: Relay, requests: Requests, bus: Bus, genuine: Claim) -> None:
    """What was published before has changed nothing, and the genuine answer counts."""
    (other,) = requests.claim(requests.accept()).values()
    bus.answer(answer(other))
    wait_until(lambda: requests.get(other.prediction_id)["state"] == "SUCCEEDED")
    row = requests.get(genuine.prediction_id)
    assert (row["state"], row["label"], row["error"]) == ("RUNNING", None, None)
    assert "dropped" in relay.log
    bus.answer(answer(genuine))
    wait_until(lambda: requests.get(genuine.prediction_id)["state"] == "SUCCEEDED")


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_answer_is_dropped_and_said_so(
    relay: Relay, requests: Requests, bus: Bus, forgery: str
) -> None:
    genuine = claim(requests)
    bus.forge(to_body(answer(genuine), **FORGERIES[forgery]))
    check_dropped(relay, requests, bus, genuine)


@pytest.mark.parametrize("token", [None, "", str(uuid4())])
def test_a_forged_error_is_dropped_and_said_so(
    relay: Relay, requests: Requests, bus: Bus, token: str | None
) -> None:
    genuine = claim(requests)
    bus.forge(to_body(error_answer(genuine), claimToken=token))
    check_dropped(relay, requests, bus, genuine)


def test_the_token_of_another_claim_is_of_no_use(
    relay: Relay, requests: Requests, bus: Bus
) -> None:
    genuine, other = claim(requests), claim(requests)
    bus.answer(answer(genuine._replace(token=other.token)))
    check_dropped(relay, requests, bus, genuine)


@pytest.mark.parametrize("make", [answer, error_answer])
def test_the_token_of_an_earlier_claim_is_of_no_use(
    relay: Relay, requests: Requests, bus: Bus, make: Any
) -> None:
    earlier = claim(requests)
    requests.execute("UPDATE requests SET lease_until = now()")
    genuine = requests.claim_one(earlier.prediction_id)
    assert genuine.token != earlier.token
    bus.answer(make(earlier))
    check_dropped(relay, requests, bus, genuine)


def test_a_worker_answers_for_its_own_model_alone(
    relay: Relay, requests: Requests, bus: Bus
) -> None:
    genuine = claim(requests)
    (foreign,) = requests.claim(requests.accept(model="genre"), model="genre").values()
    bus.answer(answer(genuine._replace(token=foreign.token), model="genre"))
    bus.forge(to_body(answer(foreign), predictionId=genuine.prediction_id))
    check_dropped(relay, requests, bus, genuine)


def test_what_nobody_has_claimed_cannot_be_answered(
    relay: Relay, requests: Requests, bus: Bus
) -> None:
    (prediction_id,) = requests.accept()
    for token in (None, str(uuid4()), "00000000-0000-0000-0000-000000000000"):
        bus.forge(to_body(answer(claim(requests)), predictionId=prediction_id, claimToken=token))
    wait_until(lambda: bus.depth("predict-gateway") == 0)
    assert requests.get(prediction_id)["state"] == "ACCEPTED"
    assert "dropped" in relay.log


def test_perfect_answers_without_a_token_are_taken_for_none_of_many_predictions(
    relay: Relay, requests: Requests, bus: Bus
) -> None:
    claims = requests.claim(requests.accept(20)).values()
    assert len(claims) == 20
    for one in claims:
        bus.forge(to_body(answer(one), claimToken=None, attempt=1))
        bus.forge(to_body(answer(one), claimToken=str(uuid4())))
    wait_until(lambda: bus.depth("predict-gateway") == 0)
    assert requests.states() == {"RUNNING": 20}
    assert relay.log.count("its claim_token is no UUID") == 20
    bus.answer(*map(answer, claims))
    wait_until(lambda: requests.states()["SUCCEEDED"] == 20)


def test_the_genuine_answer_counts_beside_forged_ones(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    genuine = claim(requests)
    bus.forge(to_body(answer(genuine), claimToken=None))
    bus.forge(to_body(error_answer(genuine), claimToken=str(uuid4())))
    bus.forge(to_body(answer(genuine), model="genre"))
    bus.answer(answer(genuine))
    start_relay()  # finds all at once
    wait_until(lambda: requests.get(genuine.prediction_id)["state"] == "SUCCEEDED")
