"""The form of a publication: ours must be the one that boto3 would send, byte for byte."""

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest

from bus.events import Envelope, to_entry
from bus.sns import Topic

ARN = "arn:aws:sns:us-east-1:000000000000:events"


class Sent(Exception):
    """Ends a call where its request would go out."""

    def __init__(self, body: str | bytes) -> None:
        self.body = body


@pytest.mark.parametrize(
    "body",
    [
        '{"predictions": [{"predictionId": "0193", "state": "PREDICTION_STATE_SUCCEEDED"}]}',
        "".join(map(chr, range(1, 128))),
        'Grüße, "世界" 🙂 100 % + 1',
    ],
)
def test_the_form_is_the_one_of_boto3(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    entry = to_entry(Envelope("an id", "job_completed", "sentiment", "", body))
    client = boto3.client("sns", region_name="us-east-1", endpoint_url="http://127.0.0.1:9")
    client.meta.events.register("before-send.sns.PublishBatch", _stop)
    with pytest.raises(Sent) as theirs:
        client.publish_batch(TopicArn=ARN, PublishBatchRequestEntries=[entry])
    for _ in range(2):  # a second topic of the same client changes nothing
        Topic(client=client, arn=ARN, executor=None)  # type: ignore[arg-type]  # not used
    with pytest.raises(Sent) as ours:
        client.publish_batch(TopicArn=ARN, PublishBatchRequestEntries=[entry])
    assert isinstance(theirs.value.body, str)
    assert ours.value.body == theirs.value.body.encode()


def _stop(request: AWSPreparedRequest, **_: object) -> None:
    assert isinstance(request.body, str | bytes)
    raise Sent(request.body)
