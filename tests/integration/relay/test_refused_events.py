"""Events that SNS does not take: what becomes of them, and in how many calls."""

import time
from collections.abc import Iterator

import pytest

from database.logins import RELAY
from relay.publisher import MAX_REJECTIONS
from tests.integration.relay.process import Relay
from tests.parts.aws_front import (
    AwsFront,
    Call,
    Reply,
    refused_by_sns,
    refused_by_sqs,
    refused_entries,
)
from tests.parts.bus_probe import Bus
from tests.parts.catalog import environment
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.requests import Requests


@pytest.fixture
def front(bus: Bus) -> Iterator[AwsFront]:
    with AwsFront(bus) as front:
        yield front


@pytest.fixture
def relay(front: AwsFront, requests: Requests, database: Database) -> Iterator[Relay]:
    variables = {**environment(database, RELAY), **front.environment}
    with Relay(variables, poll_s=0.05, receive_wait_s=1) as relay:
        yield relay


def test_a_request_that_is_refused_for_good_fails_after_few_calls(
    front: AwsFront, requests: Requests, relay: Relay
) -> None:
    def refuse(call: Call) -> Reply | None:
        if "inference_request" not in attributes(call):
            return None
        return refused_entries(call, "InvalidParameter", sender_fault=True)

    front.rule = refuse
    ids = requests.accept(5)
    wait_until(lambda: requests.states()["FAILED"] == 5)
    errors = [requests.get(prediction_id)["error"] for prediction_id in ids]
    assert {error["details"][0]["reason"] for error in errors} == {"UNDELIVERABLE"}
    assert front.refused["PublishBatch"] == MAX_REJECTIONS


@pytest.mark.parametrize(
    ("action", "reply"),
    [
        ("PublishBatch", refused_by_sns("AuthorizationError")),
        ("ReceiveMessage", refused_by_sqs("AccessDenied")),
    ],
    ids=["PublishBatch", "ReceiveMessage"],
)
def test_what_is_wrong_with_the_bus_is_waited_out(
    front: AwsFront, requests: Requests, relay: Relay, bus: Bus, action: str, reply: Reply
) -> None:
    front.rule = lambda call: reply if call.action == action else None
    (prediction_id,) = requests.accept()
    wait_until(lambda: front.refused[action] > 0)
    time.sleep(2)
    assert front.refused[action] < 24  # of the queue of answers, and of the dead letters
    assert requests.states() == {"ACCEPTED": 1}
    front.rule = lambda _: None
    (message,) = bus.receive("predict-sentiment", wait_s=20)
    assert prediction_id in message["Body"]
    assert relay.exit_code is None


def attributes(call: Call) -> list[str]:
    """The values of the first entry's attributes."""
    start = "PublishBatchRequestEntries.member.1.MessageAttributes."
    return [value for name, value in call.fields.items() if name.startswith(start)]
