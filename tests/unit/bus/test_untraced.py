"""Programs that send no spans make nothing that only spans need."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.stub import Stubber

from bus.aws import CONFIG
from bus.deliveries import Delivery
from bus.events import Envelope
from bus.sending import send
from bus.sns import Topic

ARN = "arn:aws:sns:us-east-1:000000000000:events"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@contextmanager
def called() -> Iterator[set[str]]:
    """The names of the functions that this thread calls in the block."""
    names: set[str] = set()

    def note(frame: Any, event: str, called: Callable[..., object] | None) -> None:
        if event == "c_call" and called is not None:
            names.add(called.__name__)
        elif event == "call":
            names.add(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        yield names
    finally:
        sys.setprofile(None)


def test_a_delivery_hands_its_trace_on_without_an_id_of_its_own() -> None:
    message: Any = {
        "MessageId": "one",
        "ReceiptHandle": "a receipt",
        "Attributes": {"ApproximateReceiveCount": "2"},
        "MessageAttributes": {"traceparent": {"DataType": "String", "StringValue": TRACE}},
    }
    with called() as names:
        delivery = Delivery("predict-sentiment", message)
        delivery.end()
    assert delivery.traceparent == TRACE
    assert delivery.is_again
    assert "parse" in names
    assert "openssl_sha256" not in names


async def test_events_are_sent_as_they_are_but_for_what_is_no_trace() -> None:
    sns = boto3.client(
        "sns",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
        config=CONFIG,
    )
    traces = {"none": None, "good": TRACE, "bad": "CANARY"}
    envelopes = [
        Envelope(id, "job_completed", "sentiment", "", "{}", t) for id, t in traces.items()
    ]
    with ThreadPoolExecutor(1) as threads, Stubber(sns) as stubber:
        stubber.add_response(
            "publish_batch", {"Successful": [{"Id": id} for id in traces], "Failed": []}
        )
        topic = Topic(client=sns, arn=ARN, executor=threads)
        sent: list[Any] = []
        sns.meta.events.register_first(
            "before-parameter-build.sns.PublishBatch",
            lambda params, **_: sent.extend(params["PublishBatchRequestEntries"]),
        )
        with called() as names:
            outcome = await send(topic, envelopes[:2])
        assert "replace" not in names
        stubber.add_response("publish_batch", {"Successful": [{"Id": "bad"}], "Failed": []})
        await send(topic, envelopes[2:])
    assert outcome.published == traces.keys()
    assert [e["MessageAttributes"].get("traceparent", {}).get("StringValue") for e in sent] == [
        None,
        TRACE,
        None,
    ]
