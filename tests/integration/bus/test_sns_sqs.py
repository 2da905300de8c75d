"""Publishing and receiving through the real clients."""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from bus.errors import BusUnavailable
from bus.events import Envelope, to_entry
from bus.sns import MAX_BATCH_BYTES, Topic
from bus.sqs import Queue, receipts_of
from tests.parts.bus_probe import TOPIC_ARN, Bus

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.fixture
def topic(bus: Bus, executor: Executor) -> Topic:
    return Topic(client=bus.sns, arn=TOPIC_ARN, executor=executor)


@pytest.fixture
def queue(bus: Bus, executor: Executor) -> Queue:
    return Queue(client=bus.sqs, name="predict-sentiment", executor=executor)


def request(event_id: str, *, padding: int = 0) -> Envelope:
    return Envelope(event_id, "inference_request", "sentiment", "1", f'"{"x" * padding}"')


async def publish(topic: Topic, *envelopes: Envelope) -> tuple[set[str], set[str], bool]:
    outcome = await topic.publish(map(to_entry, envelopes))
    return outcome.published, set(outcome.rejected), outcome.failure is not None


async def test_any_number_of_entries_is_published(topic: Topic, bus: Bus) -> None:
    ids = {str(i) for i in range(25)}
    assert await publish(topic, *map(request, ids)) == (ids, set(), False)
    assert bus.depth("predict-sentiment") == 25


async def test_nothing_to_publish_is_no_call(executor: Executor) -> None:
    unreachable = Topic(client=client(), arn=TOPIC_ARN, executor=executor)
    assert await publish(unreachable) == (set(), set(), False)


async def test_large_entries_share_no_call_that_would_be_too_large(topic: Topic) -> None:
    ids = [str(i) for i in range(6)]
    large = [request(id, padding=MAX_BATCH_BYTES // 2 - 1000) for id in ids]
    assert await publish(topic, *large) == (set(ids), set(), False)


async def test_an_entry_that_is_too_large_is_rejected_and_holds_up_no_other(topic: Topic) -> None:
    poison = request("poison", padding=MAX_BATCH_BYTES)
    published = await publish(topic, request("a"), poison, request("b"))
    assert published == ({"a", "b"}, {"poison"}, False)


async def test_an_unknown_topic_is_an_outage_and_rejects_nothing(
    bus: Bus, executor: Executor
) -> None:
    unknown = Topic(client=bus.sns, arn=f"{TOPIC_ARN}-gone", executor=executor)
    assert await publish(unknown, request("a"), request("b")) == (set(), set(), True)


async def test_an_unreachable_bus_is_an_outage_and_rejects_nothing(executor: Executor) -> None:
    unreachable = Topic(client=client(), arn=TOPIC_ARN, executor=executor)
    assert await publish(unreachable, request("a")) == (set(), set(), True)


async def test_received_messages_stay_until_they_are_deleted(topic: Topic, queue: Queue) -> None:
    await publish(topic, *(request(str(i)) for i in range(12)))
    assert await queue.depth() == 12
    messages = [*await queue.receive(wait_s=0), *await queue.receive(wait_s=0)]
    assert len(messages) == 12
    assert await queue.receive(wait_s=0) == []
    await queue.delete(receipts_of(messages))
    assert await queue.depth() == 0


async def test_a_receipt_that_is_no_longer_valid_is_no_error(
    topic: Topic, queue: Queue, bus: Bus
) -> None:
    await publish(topic, request("a"), request("b"))
    messages = await queue.receive(wait_s=0)
    receipts = receipts_of(messages)
    await queue.delete(receipts[:1])
    await queue.delete(receipts)
    await queue.set_visibility(receipts, 30)
    assert bus.depth("predict-sentiment") == 0


async def test_messages_may_be_given_back_and_hidden_again(topic: Topic, queue: Queue) -> None:
    await publish(topic, *(request(str(i)) for i in range(12)))
    messages = [*await queue.receive(wait_s=0), *await queue.receive(wait_s=0)]
    await queue.set_visibility(receipts_of(messages), 0)
    again = [*await queue.receive(wait_s=0), *await queue.receive(wait_s=0)]
    assert len(again) == 12
    await queue.set_visibility(receipts_of(again), 30)
    assert await queue.receive(wait_s=0) == []


async def test_messages_are_hidden_for_as_long_as_is_asked(topic: Topic, queue: Queue) -> None:
    await publish(topic, request("a"))
    assert await queue.receive(wait_s=0, visibility_s=0)
    assert await queue.receive(wait_s=0, visibility_s=30)
    assert await queue.receive(wait_s=0, visibility_s=30) == []


async def test_a_queue_may_be_made_after_it_was_first_asked_for(
    bus: Bus, executor: Executor
) -> None:
    late = Queue(client=bus.sqs, name="late", executor=executor)
    with pytest.raises(BusUnavailable, match=r"NonExistentQueue|QueueDoesNotExist"):
        await late.receive(wait_s=0)
    bus.sqs.create_queue(QueueName="late")
    assert await late.receive(wait_s=0) == []


def client() -> "SNSClient":
    """A client of a bus that is not there."""
    return boto3.client(
        "sns",
        endpoint_url="http://127.0.0.1:1",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
        config=Config(retries={"total_max_attempts": 1}),
    )
