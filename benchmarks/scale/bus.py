"""What goes over the bus: a queue of its own hears every event for a while."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import boto3

EMPTY_LOOKS = 10


class Listener:
    """Inside `with`, a subscriber to all events of the topic."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """environment: the standard AWS_* variables."""
        self._sns = _client("sns", environment)
        self._sqs = _client("sqs", environment)

    def __enter__(self) -> "Listener":
        self._url = self._sqs.create_queue(QueueName=f"scale-{time.time_ns()}")["QueueUrl"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        (topic,) = self._sns.list_topics()["Topics"]
        self._subscription = self._sns.subscribe(
            TopicArn=topic["TopicArn"],
            Protocol="sqs",
            Endpoint=found["Attributes"]["QueueArn"],
            Attributes={"RawMessageDelivery": "true"},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return self

    def __exit__(self, *_: object) -> None:
        self._sns.unsubscribe(SubscriptionArn=self._subscription)
        self._sqs.delete_queue(QueueUrl=self._url)

    def heard(self) -> tuple[Counter[str], Counter[str]]:
        """Messages and their bytes, attributes included, by event; once no more come."""
        messages, sizes, empty = Counter[str](), Counter[str](), 0
        while empty < EMPTY_LOOKS:
            found = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            ).get("Messages", [])
            empty = 0 if found else empty + 1
            if not found:
                time.sleep(0.2)
            for message in found:
                attributes = message["MessageAttributes"]
                event = attributes["event"]["StringValue"]
                messages[event] += 1
                sizes[event] += size_bytes(message["Body"], attributes)
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return messages, sizes


def size_bytes(body: str, attributes: Mapping[str, Any]) -> int:
    """What AWS counts of a message: the body, and of each attribute its name, type and value.

    Source:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
    """
    texts = [body]
    for name, value in attributes.items():
        texts += [name, value["DataType"], value["StringValue"]]
    return sum(len(text.encode()) for text in texts)


def _client(service: str, environment: Mapping[str, str]) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
