"""What the command makes of the bus."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.parts.aws import Aws
from tests.parts.bus_probe import MODELS, TOPIC_ARN, Bus

QUEUES = ["predict-gateway", *(f"predict-{model}" for model in MODELS)]


def attributes(bus: Bus, queue: str) -> dict[str, str]:
    answer = bus.sqs.get_queue_attributes(QueueUrl=bus.url(queue), AttributeNames=["All"])
    found: dict[str, str] = answer["Attributes"]
    return found


def snapshot(bus: Bus) -> dict[str, Any]:
    """All that the command is to make, without what changes by itself."""
    subscriptions = bus.sns.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
    names = ("VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy", "Policy")
    return {
        "topics": bus.sns.list_topics()["Topics"],
        "queues": {
            url: [attributes(bus, url.rsplit("/", 1)[1]).get(name) for name in names]
            for url in bus.sqs.list_queues()["QueueUrls"]
        },
        "subscriptions": {
            s["Endpoint"]: bus.sns.get_subscription_attributes(
                SubscriptionArn=s["SubscriptionArn"]
            )["Attributes"]
            for s in subscriptions
        },
        "buckets": [b["Name"] for b in bus.aws.client("s3").list_buckets()["Buckets"]],
    }


def test_the_command_makes_everything_and_prints_it(aws: Aws) -> None:
    bus = Bus(aws)
    printed = run(*MODELS, **aws.environment).stdout.splitlines()
    made = snapshot(bus)
    assert made["topics"] == [{"TopicArn": TOPIC_ARN}]
    assert len(made["queues"]) == 2 * len(QUEUES)
    assert len(made["subscriptions"]) == len(QUEUES)
    assert made["buckets"] == ["predict-features"]
    assert printed[0] == TOPIC_ARN
    assert len(printed) == 1 + 2 * len(QUEUES) + 1


def test_running_it_again_changes_nothing(bus: Bus) -> None:
    before = snapshot(bus)
    bus.provision()
    assert snapshot(bus) == before


def test_running_it_again_repairs_what_was_changed(bus: Bus) -> None:
    before = snapshot(bus)
    bus.sqs.set_queue_attributes(
        QueueUrl=bus.url("predict-genre"),
        Attributes={"VisibilityTimeout": "1", "RedrivePolicy": "", "Policy": ""},
    )
    (subscription,) = (
        s["SubscriptionArn"]
        for s in bus.sns.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
        if s["Endpoint"].endswith(":predict-genre")
    )
    bus.sns.set_subscription_attributes(
        SubscriptionArn=subscription,
        AttributeName="FilterPolicy",
        AttributeValue=json.dumps({"action": ["nobody"]}),
    )
    assert snapshot(bus) != before
    bus.provision()
    assert snapshot(bus) == before


def test_only_the_topic_may_send_to_the_queues(bus: Bus) -> None:
    for queue in QUEUES:
        statement = json.loads(attributes(bus, queue)["Policy"])["Statement"]
        assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
        assert statement["Action"] == "sqs:SendMessage"
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": TOPIC_ARN}}


def test_requests_go_to_the_queue_of_their_model_alone(bus: Bus) -> None:
    for model in (*MODELS, "unknown"):
        bus.publish("inference_request", {"model": model}, model=model)
    assert [list(bus.drain(queue)) for queue in QUEUES] == [
        [],
        *([{"model": model}] for model in MODELS),
    ]


def test_answers_go_to_the_gateway_alone(bus: Bus) -> None:
    for model in MODELS:
        bus.publish("inference_response", {"model": model}, model=model)
    assert [list(bus.drain(queue)) for queue in QUEUES] == [
        [{"model": model} for model in MODELS],
        *([] for _ in MODELS),
    ]


def test_completions_go_to_no_queue_of_ours(bus: Bus) -> None:
    watched = bus.watch("job_completed")
    bus.publish("job_completed", {"model": "sentiment"})
    assert [bus.depth(queue) for queue in (*QUEUES, watched)] == [0] * len(QUEUES) + [1]


def test_a_message_that_is_received_too_often_goes_to_the_dead_letters(bus: Bus) -> None:
    bus.publish("inference_request", {"model": "genre"}, model="genre")
    receives = 0
    while messages := bus.receive("predict-genre", delete=False):
        receives += 1
        bus.sqs.change_message_visibility(
            QueueUrl=bus.url("predict-genre"),
            ReceiptHandle=messages[0]["ReceiptHandle"],
            VisibilityTimeout=0,
        )
    assert receives == 5
    (dead,) = bus.receive("predict-genre-dead")
    assert json.loads(dead["Body"]) == {"model": "genre"}
    assert dead["MessageAttributes"]["action"]["StringValue"] == "genre"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "bus.topology", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_prefix_and_the_bucket_come_from_the_environment(aws: Aws) -> None:
    names = {"PMESH_BUS_PREFIX": "team-a", "PMESH_FEATURES_BUCKET": "team-a-features"}
    made = run("sentiment", **aws.environment, **names).stdout.splitlines()
    assert made[0] == "arn:aws:sns:us-east-1:123456789012:team-a-events"
    assert made[-1] == "arn:aws:s3:::team-a-features"


def test_an_unreachable_bus_is_one_line() -> None:
    failed = run(
        "sentiment",
        AWS_ENDPOINT_URL="http://127.0.0.1:1",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",  # noqa: S106
        AWS_DEFAULT_REGION="us-east-1",
        AWS_MAX_ATTEMPTS="1",
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith("cannot provision the bus: Could not connect")
    assert failed.stderr.count("\n") == 1


def test_help_names_the_variables() -> None:
    assert "PMESH_BUS_PREFIX" in run("--help").stdout
