"""Publishing to an SNS topic."""

import asyncio
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from botocore.exceptions import ClientError

from bus.errors import BusUnavailable, bus_errors, error_code
from bus.metrics import OPERATIONS, SENT, SNS

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient
    from mypy_boto3_sns.type_defs import BatchResultErrorEntryTypeDef
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef as Entry

# https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
MAX_BATCH = 10
MAX_BATCH_BYTES = 256 * 1024

# What SNS answers, to an entry or a whole call, where a message itself is at fault. All else, known
# or not, is waited out: SNS calls the sender at fault in almost all that it refuses, be it for a
# moment or for want of a right, and a message that is given up is lost for good.
_OF_MESSAGES = {
    "BatchRequestTooLong",
    "InvalidParameter",
    "InvalidParameterException",
    "InvalidParameterValue",
    "InvalidParameterValueException",
    "MessageTooLong",
    "ParameterValueInvalid",
    "ValidationError",
    "ValidationException",
}

_ESCAPES = {code: quote_plus(chr(code)) for code in range(128)}


@dataclass
class Outcome:
    """What became of entries, by their Id. One in neither may be tried again later."""

    published: set[str] = field(default_factory=set)
    rejected: dict[str, str] = field(default_factory=dict)
    """Those that SNS does not accept as they are, with its code."""
    failure: BusUnavailable | None = None
    """Why the others were not published."""


class Topic:
    """One topic, used through an executor since boto3 blocks."""

    def __init__(self, *, client: "SNSClient", arn: str, executor: Executor) -> None:
        """client: from now on encodes its publications by `_encode_form`."""
        self._client = client
        events = client.meta.events
        events.register("before-call.sns.PublishBatch", _encode_form, unique_id=__name__)
        self.name = arn.rpartition(":")[2]
        self._arn = arn
        self._executor = executor
        self._labels = (SNS, "send", self.name)

    async def publish(self, entries: "Iterable[Entry]") -> Outcome:
        """Publish entries in as few calls as their sizes allow, several calls at a time."""
        loop = asyncio.get_running_loop()
        calls = (
            loop.run_in_executor(self._executor, self._publish_batch, batch)
            for batch in _batches(entries)
        )
        return _sum(await asyncio.gather(*calls))

    def _publish_batch(self, batch: "list[Entry]") -> Outcome:
        try:
            with bus_errors("topic"), OPERATIONS.labels(*self._labels).time():
                answer = self._client.publish_batch(
                    TopicArn=self._arn, PublishBatchRequestEntries=batch
                )
        except BusUnavailable as unavailable:
            return self._failed_call(batch, unavailable)
        failed = answer.get("Failed", [])
        outcome = Outcome(
            published={entry["Id"] for entry in answer.get("Successful", [])},
            rejected={entry["Id"]: entry["Code"] for entry in failed if _is_for_good(entry)},
        )
        if len(outcome.published) + len(outcome.rejected) < len(batch):
            codes = {entry["Code"] for entry in failed if not _is_for_good(entry)}
            cause = ", ".join(sorted(codes)) or "NotConfirmed"
            outcome.failure = BusUnavailable(cause, dependency="topic")
        SENT.labels(*self._labels).inc(len(outcome.published))
        return outcome

    def _failed_call(self, batch: "list[Entry]", unavailable: BusUnavailable) -> Outcome:
        cause = unavailable.__cause__
        if not (isinstance(cause, ClientError) and _is_about_messages(cause)):
            return Outcome(failure=unavailable)
        if len(batch) == 1:
            return Outcome(rejected={batch[0]["Id"]: str(unavailable)})
        # One of them is to blame; the others are innocent.
        return _sum(self._publish_batch([entry]) for entry in batch)


def _is_for_good(failed: "BatchResultErrorEntryTypeDef") -> bool:
    """Whether an entry will never be accepted as it is."""
    return failed["SenderFault"] and failed["Code"] in _OF_MESSAGES


def _is_about_messages(error: ClientError) -> bool:
    """Whether a call was refused for what is in it, not for where it goes."""
    return error_code(error) in _OF_MESSAGES and "TopicArn" not in str(error)


def _encode_form(params: dict[str, Any], **_: object) -> None:
    """The form that boto3 would make of the parameters, once and not byte by byte.

    Under load it would take most of the relay's time: it encodes a form twice, to sign and to send.
    """
    pairs = (f"{_quote(name)}={_quote(value)}" for name, value in params["body"].items())
    params["body"] = "&".join(pairs).encode()


def _quote(text: str) -> str:
    return text.translate(_ESCAPES) if text.isascii() else quote_plus(text)


def _sum(outcomes: Iterable[Outcome]) -> Outcome:
    total = Outcome()
    for outcome in outcomes:
        total.published |= outcome.published
        total.rejected |= outcome.rejected
        total.failure = total.failure or outcome.failure
    return total


def _batches(entries: "Iterable[Entry]") -> "Iterator[list[Entry]]":
    batch: list[Entry] = []
    batch_bytes = 0
    for entry in entries:
        size = _bytes(entry)
        if batch and (len(batch) == MAX_BATCH or batch_bytes + size > MAX_BATCH_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(entry)
        batch_bytes += size
    if batch:
        yield batch


def _bytes(entry: "Entry") -> int:
    attributes = entry.get("MessageAttributes", {})
    return len(entry["Message"].encode()) + sum(
        len(name) + len(value["DataType"]) + len(value.get("StringValue", ""))
        for name, value in attributes.items()
    )
