"""The emulator of SNS and SQS: what the quickened moto must still do."""

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest

from pmesh.stack.ports import assign_ports
from pmesh.stack.readiness import answers_http
from tests.parts.polling import wait_until

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient


@pytest.fixture(scope="module")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator["SQSClient"]:
    file = tmp_path_factory.mktemp("aws") / "ports.json"
    port = assign_ports(file, ["aws"])["aws"]
    process = subprocess.Popen([sys.executable, "-m", "pmesh.stack.aws_emulator", str(port)])
    try:
        wait_until(lambda: answers_http(port, "/moto-api/data.json"))
        yield boto3.client(
            "sqs",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",  # noqa: S106
        )
    finally:
        process.terminate()
        process.wait(100)


@pytest.fixture
def queue(sqs: "SQSClient", request: pytest.FixtureRequest) -> str:
    return sqs.create_queue(QueueName=request.node.name[:80])["QueueUrl"]


def test_a_long_poll_wakes_at_once(sqs: "SQSClient", queue: str) -> None:
    def send() -> None:
        sqs.send_message(QueueUrl=queue, MessageBody=str(time.monotonic()))

    delays = []
    for _ in range(3):
        threading.Timer(0.3, send).start()
        answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)
        delays.append(time.monotonic() - float(answer["Messages"][0]["Body"]))
    assert statistics.median(delays) < 0.5  # a poll that only looks each second: 0.7


def test_what_a_receiver_gets_is_its_own_copy(sqs: "SQSClient", queue: str) -> None:
    attributes = {"action": {"DataType": "String", "StringValue": "genre"}}
    sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)  # type: ignore[arg-type]
    bare = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)["Messages"][0]
    full = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"])["Messages"][0]
    assert "MessageAttributes" not in bare
    assert full["MessageAttributes"]["action"]["StringValue"] == "genre"


def test_a_message_in_work_is_hidden_until_its_timeout(sqs: "SQSClient", queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    first = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=1)["Messages"][0]
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    again = sqs.receive_message(
        QueueUrl=queue, WaitTimeSeconds=5, AttributeNames=["ApproximateReceiveCount"]
    )["Messages"][0]
    assert again["MessageId"] == first["MessageId"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
