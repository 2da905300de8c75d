"""Receiving from an SQS queue."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from gateway.bus.errors import bus_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef as Entry
    from mypy_boto3_sqs.type_defs import MessageTypeDef as Message

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
MAX_BATCH = 10

Result = TypeVar("Result")


class Queue:
    """One queue, used through an executor since boto3 blocks.

    The queue need not be there yet: it is looked up by name when it is first used. Every method
    raises BusUnavailable.
    """

    def __init__(self, *, client: "SQSClient", name: str, executor: Executor) -> None:
        self.name = name
        self._client = client
        self._executor = executor
        self._url: str | None = None

    async def receive(self, *, wait_s: int) -> "list[Message]":
        """Up to 10 messages; waits up to wait_s (0 to 20) seconds for the first."""
        return await self._run(partial(self._receive, wait_s=wait_s))

    async def delete(self, messages: "Sequence[Message]") -> None:
        """Delete messages that were received from this queue.

        One whose receipt is no longer valid comes again, if it is still there; it is no error.
        """
        slices = [messages[i : i + MAX_BATCH] for i in range(0, len(messages), MAX_BATCH)]
        await asyncio.gather(*(self._run(partial(self._delete, messages=s)) for s in slices))

    async def depth(self) -> int:
        """About how many messages wait to be received."""
        return await self._run(self._depth)

    async def _run(self, call: Callable[[str], Result]) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._call, call)

    def _call(self, call: Callable[[str], Result]) -> Result:
        with bus_errors():
            if self._url is None:
                self._url = self._client.get_queue_url(QueueName=self.name)["QueueUrl"]
            return call(self._url)

    def _receive(self, url: str, wait_s: int) -> "list[Message]":
        answer = self._client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=MAX_BATCH,
            WaitTimeSeconds=wait_s,
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def _delete(self, url: str, messages: "Sequence[Message]") -> None:
        entries: list[Entry] = [
            {"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]}
            for i, message in enumerate(messages)
        ]
        self._client.delete_message_batch(QueueUrl=url, Entries=entries)

    def _depth(self, url: str) -> int:
        name: Literal["ApproximateNumberOfMessages"] = "ApproximateNumberOfMessages"
        answer = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return int(answer["Attributes"][name])
