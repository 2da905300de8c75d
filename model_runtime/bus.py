"""The model's SQS queue and the SNS topic, through threads since boto3 blocks."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef as Entry
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef as Message

# For receiving, deleting, changing and publishing alike:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_BATCH = 10

Item = TypeVar("Item")


class BusUnavailable(Exception):
    """SNS or SQS cannot be used just now. The message is the code or the class of the cause."""


class Queue:
    """One queue; it need not be there yet. Every method raises BusUnavailable."""

    def __init__(self, *, client: "SQSClient", name: str, executor: Executor) -> None:
        self._client = client
        self._name = name
        self._executor = executor
        self._url: str | None = None

    async def receive(self, *, wait_s: int, visibility_s: int) -> "list[Message]":
        """Up to 10 messages, hidden from others for visibility_s seconds.

        Waits up to wait_s (0 to 20) seconds for the first.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._receive, wait_s, visibility_s)

    async def delete(self, receipts: Sequence[str]) -> None:
        """Delete messages. One that was received again since then is left to that receiver."""
        await self._for_each_batch(self._delete, receipts)

    async def set_visibility(self, receipts: Sequence[str], visibility_s: int) -> None:
        """Hide messages for so many seconds from now; 0 gives them back."""
        await self._for_each_batch(
            lambda batch: self._set_visibility(batch, visibility_s), receipts
        )

    async def _for_each_batch(
        self, call: Callable[[Sequence[str]], None], receipts: Sequence[str]
    ) -> None:
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(self._executor, call, b) for b in batches(receipts)]
        await asyncio.gather(*calls)

    def _receive(self, wait_s: int, visibility_s: int) -> "list[Message]":
        with _bus_errors():
            answer = self._client.receive_message(
                QueueUrl=self._find(),
                MaxNumberOfMessages=MAX_BATCH,
                WaitTimeSeconds=wait_s,
                VisibilityTimeout=visibility_s,
            )
        return answer.get("Messages", [])

    def _delete(self, receipts: Sequence[str]) -> None:
        with _bus_errors():
            self._client.delete_message_batch(
                QueueUrl=self._find(),
                Entries=[{"Id": str(n), "ReceiptHandle": r} for n, r in enumerate(receipts)],
            )

    def _set_visibility(self, receipts: Sequence[str], visibility_s: int) -> None:
        with _bus_errors():
            self._client.change_message_visibility_batch(
                QueueUrl=self._find(),
                Entries=[
                    {"Id": str(n), "ReceiptHandle": r, "VisibilityTimeout": visibility_s}
                    for n, r in enumerate(receipts)
                ],
            )

    def _find(self) -> str:
        if self._url is None:
            self._url = self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
        return self._url


class Topic:
    """One topic."""

    def __init__(self, *, client: "SNSClient", arn: str, executor: Executor) -> None:
        self._client = client
        self._arn = arn
        self._executor = executor

    async def publish(self, entries: "Sequence[Entry]") -> "list[Entry]":
        """Publish; answers the entries that were not taken."""
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(self._executor, self._publish, b) for b in batches(entries)]
        return [entry for left in await asyncio.gather(*calls) for entry in left]

    def _publish(self, entries: "Sequence[Entry]") -> "list[Entry]":
        try:
            with _bus_errors():
                answer = self._client.publish_batch(
                    TopicArn=self._arn, PublishBatchRequestEntries=entries
                )
        except BusUnavailable:
            return list(entries)
        taken = {entry["Id"] for entry in answer.get("Successful", [])}
        return [entry for entry in entries if entry["Id"] not in taken]


def batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Slices of at most 10."""
    return (items[start : start + MAX_BATCH] for start in range(0, len(items), MAX_BATCH))


@contextmanager
def _bus_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as exc:
        raise BusUnavailable(exc.response["Error"]["Code"]) from exc
    except BotoCoreError as exc:
        raise BusUnavailable(type(exc).__name__) from exc
