"""How many predictions a second the local SNS and SQS let through, with nothing else to do."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3

from benchmarks.questions import MODEL
from bus import events
from bus.events import Envelope, to_entry
from bus.topology import Names, provision

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient
    from mypy_boto3_sqs.client import SQSClient

BATCH = 10
_PUMPS = 2
_NAMES = Names("bench")
_BODY = '{"text": "' + "x" * 200 + '"}'  # about as long as the real ones


class Emulator:
    """A topic and queues like the stack's own, on the stack's emulator."""

    def __init__(self, endpoint: str) -> None:
        client: Any = lambda service: boto3.client(  # noqa: E731
            service,
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="benchmark",
            aws_secret_access_key="benchmark",  # noqa: S106
        )
        self._sns: SNSClient = client("sns")
        self._sqs: SQSClient = client("sqs")
        self._topic, *_ = provision(
            [MODEL],
            names=_NAMES,
            features_bucket="bench-features",
            sns=self._sns,
            sqs=self._sqs,
            s3=client("s3"),
        )
        self._requests = self._queue_url(_NAMES.model_queue(MODEL))
        self._answers = self._queue_url(_NAMES.gateway_queue)

    def predictions_per_second(self, *, seconds: float) -> float:
        """Makes only the calls that predictions need, for batches of 10, by two pumps at once.

        A batch is seven calls: publish the requests, receive and delete them, publish the
        answers, receive and delete them, publish that they are completed.
        """
        began = time.monotonic()
        with ThreadPoolExecutor(_PUMPS) as pumps:
            counts = [pumps.submit(self._pump, began + seconds) for _ in range(_PUMPS)]
        return sum(count.result() for count in counts) / (time.monotonic() - began)

    def _pump(self, until: float) -> int:
        count = 0
        while time.monotonic() < until:
            self._publish(events.REQUEST, BATCH)
            self._drain(self._requests)
            self._publish(events.RESPONSE, BATCH)
            count += self._drain(self._answers)
            self._publish(events.COMPLETED, 1)
        return count

    def _publish(self, event: str, count: int) -> None:
        entries = [
            to_entry(Envelope(str(uuid.uuid4()), event, MODEL, "1", _BODY)) for _ in range(count)
        ]
        self._sns.publish_batch(TopicArn=self._topic, PublishBatchRequestEntries=entries)

    def _queue_url(self, name: str) -> str:
        return self._sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def _drain(self, queue: str) -> int:
        answer = self._sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=BATCH, MessageAttributeNames=["All"]
        )
        messages = answer.get("Messages", [])
        if messages:
            self._sqs.delete_message_batch(
                QueueUrl=queue,
                Entries=[
                    {"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]}
                    for i, message in enumerate(messages)
                ],
            )
        return len(messages)
