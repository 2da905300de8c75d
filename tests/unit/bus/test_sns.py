"""The form of a publication: ours must be the one that boto3 would send, byte for byte."""

from urllib.parse import urlencode

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSRequest

from gateway.bus.events import Envelope, to_entry
from gateway.bus.sns import Topic

ARN = "arn:aws:sns:us-east-1:000000000000:events"


class Sent(Exception):
    """Ends a call where its request would go out."""

    def __init__(self, body: bytes) -> None:
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
    forms = []
    client.meta.events.register(
        "request-created.sns.PublishBatch", lambda request, **_: forms.append(_form(request))
    )
    client.meta.events.register("before-send.sns.PublishBatch", _stop)
    with pytest.raises(Sent):
        client.publish_batch(TopicArn=ARN, PublishBatchRequestEntries=[entry])
    Topic(client=client, arn=ARN, executor=None)  # type: ignore[arg-type]  # nothing is published
    with pytest.raises(Sent) as sent:
        client.publish_batch(TopicArn=ARN, PublishBatchRequestEntries=[entry])
    assert isinstance(forms[0], dict)
    assert sent.value.body == forms[1] == urlencode(forms[0], doseq=True).encode()


def _form(request: AWSRequest) -> dict[str, str] | bytes:
    form: dict[str, str] | bytes = request.data
    return form


def _stop(request: AWSPreparedRequest, **_: object) -> None:
    raise Sent(request.body)
