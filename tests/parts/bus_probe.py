"""What a worker and a curious test do on the bus."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from predict.events.v1.events_pb2 import InferenceResponded

from bus.events import Envelope, to_entry, to_envelope
from bus.topology import PREFIX, VISIBILITY_TIMEOUT_S, Names, provision
from tests.parts.aws import Aws
from tests.parts.polling import wait_until

MODELS = ("sentiment", "genre")
TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:predict-events"


class Bus:
    """The bus from outside the relay."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.environment = {**aws.environment, "PMESH_TOPIC_ARN": TOPIC_ARN}
        self.sqs = aws.client("sqs")
        self.sns = aws.client("sns")

    def provision(self) -> None:
        """Make everything, as the command does."""
        provision(
            MODELS,
            names=Names(PREFIX),
            features_bucket="predict-features",
            sns=self.sns,
            sqs=self.sqs,
            s3=self.aws.client("s3"),
        )

    def url(self, queue: str) -> str:
        url: str = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return url

    def receive(self, queue: str, *, wait_s: int = 0, delete: bool = True) -> list[dict[str, Any]]:
        """Up to 10 messages."""
        url = self.url(queue)
        messages: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=wait_s,
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        if delete and messages:
            entries = [
                {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)
            ]
            self.sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        return messages

    def drain(self, queue: str) -> Iterator[dict[str, Any]]:
        """Events that are in the queue now."""
        while messages := self.receive(queue):
            for message in messages:
                yield json.loads(message["Body"])

    def depth(self, queue: str) -> int:
        """Messages in the queue, visible or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url(queue), AttributeNames=names)
        return sum(int(value) for value in answer["Attributes"].values())

    def set_visibility_timeout(self, queue: str, timeout_s: int) -> None:
        """How long messages that were received, from now on, are hidden."""
        self.sqs.set_queue_attributes(
            QueueUrl=self.url(queue), Attributes={"VisibilityTimeout": str(timeout_s)}
        )

    def let_die(self, queue: str) -> None:
        """Receive what is in a queue until it is in the dead-letter queue."""
        self.set_visibility_timeout(queue, 0)
        wait_until(lambda: not self.receive(queue, delete=False))
        self.set_visibility_timeout(queue, VISIBILITY_TIMEOUT_S)

    def watch(self, event: str) -> str:
        """A new queue that takes events of this kind; answers with its name."""
        name = f"watch-{uuid4().hex}"
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self.sns.subscribe(
            TopicArn=TOPIC_ARN,
            Protocol="sqs",
            Endpoint=arn["Attributes"]["QueueArn"],
            Attributes={
                "RawMessageDelivery": "true",
                "FilterPolicy": json.dumps({"event": [event]}),
            },
        )
        return name

    def unwatch(self, queue: str) -> None:
        """Take such a queue away again."""
        present = self.sns.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
        for subscription in present:
            if subscription["Endpoint"].endswith(f":{queue}"):
                self.sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        self.sqs.delete_queue(QueueUrl=self.url(queue))

    def publish(self, event: str, body: dict[str, Any] | str, *, model: str = "sentiment") -> None:
        """Publish any event, well-formed or not."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.publish_envelope(Envelope(str(uuid4()), event, model, "1", text))

    def publish_envelope(self, envelope: Envelope) -> None:
        """Publish one event as the programs do."""
        entry = to_entry(envelope)
        self.sns.publish(
            TopicArn=TOPIC_ARN,
            Message=entry["Message"],
            MessageAttributes=entry["MessageAttributes"],
        )

    def answer(self, *events: InferenceResponded) -> None:
        """Publish answers of models, in order."""
        for event in events:
            self.publish_envelope(to_envelope(event))

    def forge(self, body: dict[str, Any] | str) -> None:
        """Publish what comes to the queue of the answers and need not be one."""
        self.publish("inference_response", body)
