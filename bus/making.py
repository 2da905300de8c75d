"""Makes queues, subscriptions and buckets; what is there already is put right.

Everything raises botocore's ClientError or BotoCoreError.
"""

import json
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from bus.errors import error_code

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.literals import BucketLocationConstraintType
    from mypy_boto3_sns.client import SNSClient
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType


def create_queue(
    sqs: "SQSClient", name: str, attributes: "dict[QueueAttributeNameType, str]"
) -> str:
    """A queue with these attributes; answers with its ARN."""
    # Attributes go in a call of their own: creating refuses a queue that has others.
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def subscribe(
    sns: "SNSClient", topic: str, queue: str, filter_policy: dict[str, list[str]]
) -> None:
    """Have a queue, by its ARN, take those messages of a topic that the filter lets through."""
    attributes = {"RawMessageDelivery": "true", "FilterPolicy": json.dumps(filter_policy)}
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    present = (
        s["SubscriptionArn"]
        for page in pages
        for s in page["Subscriptions"]
        if s["Endpoint"] == queue
    )
    subscription = next(present, None)
    if subscription is None:
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=attributes)
        return
    for name, value in attributes.items():
        sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName=name, AttributeValue=value
        )


def create_bucket(s3: "S3Client", bucket: str) -> str:
    """A bucket of ours in the client's region; answers with its ARN."""
    region = cast("BucketLocationConstraintType", s3.meta.region_name)
    try:
        if s3.meta.region_name == "us-east-1":  # the one that S3 does not take by name
            s3.create_bucket(Bucket=bucket)
        else:
            s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region}
            )
    except ClientError as error:
        if error_code(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
        s3.head_bucket(Bucket=bucket)  # refused if it is somebody else's
    return f"arn:aws:s3:::{bucket}"
