"""Receiving from an SQS queue."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from bus.errors import BusUnavailable, bus_errors
from bus.metrics import CONSUMED, OPERATIONS, SQS

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import BatchResultErrorEntryTypeDef, ReceiveMessageRequestTypeDef
    from mypy_boto3_sqs.type_defs import MessageTypeDef as Message

# For receiving, deleting and changing alike:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_BATCH = 10

Result = TypeVar("Result")

Count = Literal["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
_VISIBLE: Count = "ApproximateNumberOfMessages"
_IN_HAND: Count = "ApproximateNumberOfMessagesNotVisible"


class Queue:
    """One queue, used through an executor since boto3 blocks.

    The queue need not be there yet: it is looked up by name when it is first used. Every method
    raises BusUnavailable. A receipt that is no longer valid is no error: its message has been
    deleted, or received by somebody else since then.
    """

    def __init__(self, *, client: "SQSClient", name: str, executor: Executor) -> None:
        self.name = name
        self._client = client
        self._executor = executor
        self._url: str | None = None

    async def receive(self, *, wait_s: int, visibility_s: int | None = None) -> "list[Message]":
        """Up to 10 messages; waits up to wait_s (0 to 20) seconds for the first.

        visibility_s: for how long they are hidden from others; None: as the queue has it.
        """
        return await self._run(partial(self._receive, wait_s=wait_s, visibility_s=visibility_s))

    async def delete(self, receipts: Sequence[str]) -> None:
        """Delete messages that were received from this queue."""
        await self._for_each_batch(self._delete, receipts)

    async def set_visibility(self, receipts: Sequence[str], visibility_s: int) -> None:
        """Hide received messages for so many seconds from now; 0 gives them back."""
        await self._for_each_batch(
            partial(self._set_visibility, visibility_s=visibility_s), receipts
        )

    async def depth(self) -> int:
        """About how many messages wait to be received."""
        (visible,) = await self._run(partial(self._count, names=[_VISIBLE]))
        return visible

    async def size(self) -> int:
        """About how many messages there are, with those that somebody has received."""
        return sum(await self.counts())

    async def counts(self) -> tuple[int, int]:
        """About how many messages wait to be received, and how many somebody has received."""
        visible, in_hand = await self._run(partial(self._count, names=[_VISIBLE, _IN_HAND]))
        return visible, in_hand

    async def _for_each_batch(self, call: Callable[..., None], receipts: Sequence[str]) -> None:
        starts = range(0, len(receipts), MAX_BATCH)
        batches = (receipts[start : start + MAX_BATCH] for start in starts)
        await asyncio.gather(*(self._run(partial(call, receipts=batch)) for batch in batches))

    async def _run(self, call: Callable[[str], Result]) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._call, call)

    def _call(self, call: Callable[[str], Result]) -> Result:
        with bus_errors("queue"):
            if self._url is None:
                self._url = self._client.get_queue_url(QueueName=self.name)["QueueUrl"]
            return call(self._url)

    def _receive(self, url: str, wait_s: int, visibility_s: int | None) -> "list[Message]":
        request: ReceiveMessageRequestTypeDef = {
            "QueueUrl": url,
            "MaxNumberOfMessages": MAX_BATCH,
            "WaitTimeSeconds": wait_s,
            "MessageAttributeNames": ["All"],
            "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
        }
        if visibility_s is not None:
            request["VisibilityTimeout"] = visibility_s
        with self._timed("receive"):
            messages = self._client.receive_message(**request).get("Messages", [])
        CONSUMED.labels(SQS, "receive", self.name).inc(len(messages))
        return messages

    def _delete(self, url: str, receipts: Sequence[str]) -> None:
        with self._timed("delete"):
            answer = self._client.delete_message_batch(
                QueueUrl=url,
                Entries=[{"Id": str(n), "ReceiptHandle": r} for n, r in enumerate(receipts)],
            )
        _check(answer.get("Failed", []))

    def _set_visibility(self, url: str, receipts: Sequence[str], visibility_s: int) -> None:
        with self._timed("change_visibility"):
            answer = self._client.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(n), "ReceiptHandle": r, "VisibilityTimeout": visibility_s}
                    for n, r in enumerate(receipts)
                ],
            )
        _check(answer.get("Failed", []))

    def _count(self, url: str, names: "list[Count]") -> list[int]:
        answer = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return [int(answer["Attributes"][name]) for name in names]

    def _timed(self, operation: str) -> AbstractContextManager[object]:
        return OPERATIONS.labels(SQS, operation, self.name).time()


def _check(failed: "Sequence[BatchResultErrorEntryTypeDef]") -> None:
    """Raise BusUnavailable for what may succeed later: all but a receipt that is not valid."""
    if codes := {entry["Code"] for entry in failed if not entry["SenderFault"]}:
        raise BusUnavailable(", ".join(sorted(codes)))


def receipts_of(messages: "Iterable[Message]") -> list[str]:
    """By which messages are deleted or hidden."""
    return [message["ReceiptHandle"] for message in messages]
