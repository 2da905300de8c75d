"""Where no endpoint is named, the clients of the programs go to AWS itself, signed for it."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import boto3
import numpy as np
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from bus import aws
from bus.events import Envelope, to_entry
from bus.sns import Topic
from bus.sqs import Queue
from bus.topology import TOPIC_ARN
from contract.ids import uuid7
from features.objects import FeatureObjects

ACCOUNT = "123456789012"
REGIONS = {
    "eu-central-1": ("aws", "amazonaws.com"),
    "us-gov-west-1": ("aws-us-gov", "amazonaws.com"),
    "cn-north-1": ("aws-cn", "amazonaws.com.cn"),
}


class Body:
    """Of an answer that never came from anywhere."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._content


class Aws:
    """Stands where requests would leave the process; keeps them."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.partition, self.domain = REGIONS[region]
        self.sent: list[AWSPreparedRequest] = []

    @property
    def queue_url(self) -> str:
        return f"https://sqs.{self.region}.{self.domain}/{ACCOUNT}/predict-sentiment"

    @property
    def topic_arn(self) -> str:
        return f"arn:{self.partition}:sns:{self.region}:{ACCOUNT}:predict-events"

    def answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        self.sent.append(request)
        content = b"" if ".s3." in str(request.url) else b"{}"
        if b"GetQueueUrl" in request.headers.get("X-Amz-Target", b""):
            content = f'{{"QueueUrl": "{self.queue_url}"}}'.encode()
        elif urlsplit(str(request.url)).netloc.startswith("sns."):
            content = (
                b"<PublishBatchResponse><PublishBatchResult><Successful><member><Id>an id</Id>"
                b"<MessageId>1</MessageId></member></Successful><Failed/></PublishBatchResult>"
                b"</PublishBatchResponse>"
            )
        raw: Any = Body(content)
        return AWSResponse(str(request.url), 200, {}, raw)

    def hosts(self) -> set[str]:
        return {urlsplit(str(request.url)).netloc for request in self.sent}


@pytest.fixture(params=REGIONS)
def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """The environment of a program in AWS: a region and keys, and no endpoint."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_DEFAULT_REGION", request.param)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    cloud = Aws(request.param)
    boto3.setup_default_session()
    assert boto3.DEFAULT_SESSION is not None
    boto3.DEFAULT_SESSION.events.register("before-send", cloud.answer)
    yield cloud
    boto3.setup_default_session()


async def test_every_request_goes_to_the_services_of_the_region(cloud: Aws) -> None:
    with ThreadPoolExecutor(1) as threads:
        topic = Topic(
            client=boto3.client("sns", config=aws.CONFIG), arn=cloud.topic_arn, executor=threads
        )
        queue = Queue(
            client=boto3.client("sqs", config=aws.CONFIG),
            name="predict-sentiment",
            executor=threads,
        )
        features = FeatureObjects(
            client=boto3.client("s3", config=aws.CONFIG),
            bucket="predict-features",
            executor=threads,
        )
        entry = to_entry(Envelope("an id", "job_completed", "sentiment", "", "{}"))
        outcome = await topic.publish([entry])
        assert (outcome.published, outcome.failure) == ({"an id"}, None)
        assert await queue.receive(wait_s=0) == []
        await queue.delete(["a receipt"])
        matrix = np.zeros((1, 2), np.float32)
        (place,) = await features.put(uuid7(), "sentiment", "1", [uuid7()], matrix)
    assert place.startswith("s3://predict-features/")
    end = f"{cloud.region}.{cloud.domain}"
    assert cloud.hosts() == {f"sns.{end}", f"sqs.{end}", f"predict-features.s3.{end}"}
    for request in cloud.sent:
        assert urlsplit(str(request.url)).scheme == "https"
        service = next(s for s in ("sns", "sqs", "s3") if f"{s}.{end}" in str(request.url))
        signed = str(request.headers["Authorization"])
        assert f"/{cloud.region}/{service}/aws4_request" in signed


async def test_a_queue_is_asked_at_the_address_that_aws_gives(cloud: Aws) -> None:
    with ThreadPoolExecutor(1) as threads:
        client = boto3.client("sqs", config=aws.CONFIG)
        await Queue(client=client, name="predict-sentiment", executor=threads).receive(wait_s=0)
    _, asked = cloud.sent
    assert f'"QueueUrl": "{cloud.queue_url}"'.encode() in bytes(asked.body or b"")  # type: ignore[arg-type]


def test_topics_of_all_partitions_are_taken(cloud: Aws) -> None:
    assert TOPIC_ARN.fullmatch(cloud.topic_arn)
