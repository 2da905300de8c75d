"""What AWS refuses: for good, for want of a right, or for a moment; and in how many calls."""

import json
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from bus import aws
from bus.errors import BusUnavailable
from bus.events import Envelope, to_entry
from bus.sns import MAX_BATCH_BYTES, Outcome, Topic
from bus.sqs import Queue
from tests.parts.aws_front import (
    AwsFront,
    Call,
    Reply,
    refused_by_sns,
    refused_by_sqs,
    refused_entries,
)
from tests.parts.bus_probe import TOPIC_ARN, Bus

QUEUE = "predict-sentiment"


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.fixture
def front(bus: Bus) -> Iterator[AwsFront]:
    with AwsFront(bus) as front:
        yield front


@pytest.fixture
def topic(front: AwsFront, executor: Executor) -> Topic:
    return Topic(client=client(front, "sns"), arn=TOPIC_ARN, executor=executor)


@pytest.fixture
def queue(front: AwsFront, executor: Executor) -> Queue:
    return Queue(client=client(front, "sqs"), name=QUEUE, executor=executor)


def client(front: AwsFront, service: Any) -> Any:
    """As the programs make it."""
    return boto3.client(
        service,
        endpoint_url=front.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
        config=aws.CONFIG,
    )


async def publish(topic: Topic, *ids: str, padding: int = 0) -> Outcome:
    text = f'"{"x" * padding}"'
    return await topic.publish(
        to_entry(Envelope(id, "inference_response", "sentiment", "1", text)) for id in ids
    )


async def test_a_call_is_cut_by_bytes_and_by_count(topic: Topic, front: AwsFront) -> None:
    small, large = [f"s{n}" for n in range(25)], [f"l{n}" for n in range(10)]
    assert (await publish(topic, *small)).published == set(small)
    assert sorted(len(call.entries()) for call in front.published()) == [5, 10, 10]
    front.calls.clear()
    assert (await publish(topic, *large, padding=34_000)).published == set(large)
    sizes = [[len(text) for text in call.entries().values()] for call in front.published()]
    assert sorted(map(len, sizes)) == [3, 7]
    assert max(map(sum, sizes)) <= MAX_BATCH_BYTES


@pytest.mark.parametrize(
    "code", ["InvalidParameter", "ParameterValueInvalid", "ValidationException"]
)
async def test_an_entry_that_is_the_senders_fault_is_rejected_in_one_call(
    topic: Topic, front: AwsFront, code: str
) -> None:
    front.rule = lambda call: refused_entries(call, code, sender_fault=True)
    outcome = await publish(topic, "a", "b")
    assert (outcome.rejected, outcome.failure) == ({"a": code, "b": code}, None)
    assert len(front.published()) == 1


@pytest.mark.parametrize(
    ("code", "sender_fault"),
    [
        ("Throttled", True),  # as SNS has it
        ("KMSThrottling", True),
        ("KMSAccessDenied", True),
        ("AuthorizationError", True),
        ("ThrottledException", True),
        ("AccessDenied", True),
        ("OptInRequired", True),
        ("InternalError", False),
        ("InvalidParameter", False),
        ("OfTomorrow", True),
        ("OfTomorrow", False),
    ],
)
async def test_an_entry_that_is_refused_for_a_moment_or_a_right_may_be_tried_again(
    topic: Topic, front: AwsFront, code: str, sender_fault: bool
) -> None:
    front.rule = lambda call: refused_entries(call, code, sender_fault=sender_fault)
    outcome = await publish(topic, "a", "b")
    assert (outcome.published, outcome.rejected) == (set(), {})
    assert str(outcome.failure) == code
    assert len(front.published()) == 1


@pytest.mark.parametrize(
    "code",
    ["InvalidParameter", "ParameterValueInvalid", "ValidationException", "BatchRequestTooLong"],
)
async def test_a_call_that_one_message_spoils_is_made_for_each_alone(
    topic: Topic, front: AwsFront, bus: Bus, code: str
) -> None:
    front.rule = lambda call: refused_by_sns(code, status=400) if "bad" in call.entries() else None
    outcome = await publish(topic, "a", "bad", "b")
    assert (outcome.published, outcome.rejected) == ({"a", "b"}, {"bad": code})
    assert len(front.published()) == 1 + 3


@pytest.mark.parametrize(
    "reply",
    [
        refused_by_sns("AuthorizationError"),
        refused_by_sns("AccessDenied"),
        refused_by_sns("InvalidClientTokenId"),
        refused_by_sns("NotFound", "Topic does not exist", status=404),
        refused_by_sns("Throttling", status=400),
        refused_by_sns("KMSDisabled", status=400),
        # What a topic of another region is told.
        refused_by_sns("InvalidParameter", "Invalid parameter: TopicArn", status=400),
        Reply(503, ""),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[38:90]}",
)
async def test_a_call_that_is_refused_for_its_topic_rejects_nothing(
    topic: Topic, front: AwsFront, reply: Reply
) -> None:
    front.rule = lambda _: reply
    outcome = await publish(topic, "a", "b")
    assert (outcome.published, outcome.rejected) == (set(), {})
    assert outcome.failure is not None
    assert len(front.published()) == 1


@pytest.mark.parametrize("action", ["DeleteMessageBatch", "ChangeMessageVisibilityBatch"])
async def test_an_entry_that_sqs_could_not_do_is_no_success(
    queue: Queue, front: AwsFront, action: str
) -> None:
    def fail(sender_fault: bool, code: str) -> None:
        failed = [{"Id": "0", "Code": code, "SenderFault": sender_fault}]
        reply = Reply(200, f'{{"Successful": [], "Failed": {json.dumps(failed)}}}')
        front.rule = lambda call: reply if call.action == action else None

    async def use() -> None:
        if action == "DeleteMessageBatch":
            await queue.delete(["receipt"])
        else:
            await queue.set_visibility(["receipt"], 5)

    fail(False, "InternalError")
    with pytest.raises(BusUnavailable, match="InternalError"):
        await use()
    fail(True, "ReceiptHandleIsInvalid")
    await use()
    assert front.refused[action] == 2


async def test_a_queue_that_may_not_be_read_is_an_outage(queue: Queue, front: AwsFront) -> None:
    def rule(call: Call) -> Reply | None:
        return refused_by_sqs("AccessDenied") if call.action == "ReceiveMessage" else None

    front.rule = rule
    with pytest.raises(BusUnavailable, match="AccessDenied"):
        await queue.receive(wait_s=0)
    assert front.refused == {"ReceiveMessage": 1}
