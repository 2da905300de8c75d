"""The topic, the queues and the bucket: their names, and one command that makes them.

    python -P -m bus.topology sentiment genre

Running it again changes nothing that is right and repairs what is not.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from bus import events
from bus.making import create_bucket, create_queue, subscribe
from contract.version_name import check_model_id

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sns.client import SNSClient
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

PREFIX = "predict"
"""How the names start, unless PMESH_BUS_PREFIX says otherwise."""
TOPIC_ARN = re.compile(r"arn:aws[\w-]*:sns:[\w-]+:\d{12}:[\w-]+", re.ASCII)

VISIBILITY_TIMEOUT_S = 30
MAX_RECEIVE_COUNT = 5
RETENTION_S = 4 * 86_400
DEAD_RETENTION_S = 14 * 86_400  # the longest that SQS allows


@dataclass(frozen=True)
class Names:
    """What everything on the bus is called."""

    prefix: str

    @property
    def topic(self) -> str:
        return f"{self.prefix}-events"

    @property
    def gateway_queue(self) -> str:
        """Takes what the models answer."""
        return f"{self.prefix}-gateway"

    def model_queue(self, model: str) -> str:
        """Takes the work of one model."""
        return f"{self.prefix}-{model}"


def _model_filter(model: str) -> dict[str, list[str]]:
    """Which of the topic's messages a model's queue takes, by their attributes."""
    return {"event": [events.REQUEST], "action": [model]}


def dead_letters(queue: str) -> str:
    """The name of a queue's dead-letter queue."""
    return f"{queue}-dead"


def provision(
    models: Sequence[str],
    *,
    names: Names,
    features_bucket: str,
    sns: "SNSClient",
    sqs: "SQSClient",
    s3: "S3Client",
) -> list[str]:
    """Make what is missing and answer with the ARNs of all: the topic's first.

    Raises botocore's ClientError or BotoCoreError; ValueError for an id that no model can have.
    """
    for model in models:
        check_model_id(model)
    topic = sns.create_topic(Name=names.topic)["TopicArn"]
    filters = {
        names.gateway_queue: {"event": [events.RESPONSE]},
        **{names.model_queue(model): _model_filter(model) for model in models},
    }
    made = [topic]
    for queue, filter_policy in filters.items():
        dead = create_queue(sqs, dead_letters(queue), _dead_attributes())
        arn = create_queue(sqs, queue, _attributes(topic, dead))
        subscribe(sns, topic, arn, filter_policy)
        made += [arn, dead]
    return [*made, create_bucket(s3, features_bucket)]


def _dead_attributes() -> "dict[QueueAttributeNameType, str]":
    return {"MessageRetentionPeriod": str(DEAD_RETENTION_S)}


def _attributes(topic: str, dead: str) -> "dict[QueueAttributeNameType, str]":
    redrive = {"deadLetterTargetArn": dead, "maxReceiveCount": str(MAX_RECEIVE_COUNT)}
    only_the_topic_sends = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "*",
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        },
    }
    return {
        "VisibilityTimeout": str(VISIBILITY_TIMEOUT_S),
        "MessageRetentionPeriod": str(RETENTION_S),
        "RedrivePolicy": json.dumps(redrive),
        "Policy": json.dumps(only_the_topic_sends),
    }


def main() -> None:
    """Provision for the models of the command line; print what there is then."""
    parser = argparse.ArgumentParser(
        prog="python -P -m bus.topology",
        description="Make the SNS topic, the SQS queues and the features bucket that the models"
        " need. AWS_* say where; PMESH_BUS_PREFIX and PMESH_FEATURES_BUCKET change the names.",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="id of a model")
    models = parser.parse_args().models
    try:
        made = provision(
            models,
            names=Names(os.environ.get("PMESH_BUS_PREFIX", PREFIX)),
            features_bucket=os.environ.get("PMESH_FEATURES_BUCKET", "predict-features"),
            sns=boto3.client("sns"),
            sqs=boto3.client("sqs"),
            s3=boto3.client("s3"),
        )
    except (ClientError, BotoCoreError, ValueError) as error:
        sys.exit(f"cannot provision the bus: {error}")
    print(*made, sep="\n")


if __name__ == "__main__":
    main()
