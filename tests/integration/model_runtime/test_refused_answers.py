"""Answers that SNS does not take: what becomes of them, and in how many calls."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bus.sns import MAX_BATCH_BYTES
from tests.integration.model_runtime.conftest import StartWorker
from tests.integration.model_runtime.requests import Exchange
from tests.parts.aws_front import AwsFront, Call, Reply, refused_by_sns, refused_by_sqs
from tests.parts.bus_probe import Bus
from tests.parts.catalog import set_version
from tests.parts.oip_server import OipServer
from tests.parts.polling import wait_until
from tests.parts.postgres import Database

LABELS = [f"a label of many, {n:05}" for n in range(750)]  # an answer of some 35 KiB
VERSION = "12"


def scores(texts: Sequence[str]) -> Mapping[str, npt.NDArray[Any]]:
    return {"scores": np.full((len(texts), 750), 1 / 750, np.float32)}


@pytest.fixture
def front(bus: Bus) -> Iterator[AwsFront]:
    with AwsFront(bus) as front:
        yield front


@pytest.fixture
def many_labels(requests: Exchange, database: Database) -> Iterator[str]:
    """Version 12 has 750 labels, and a server of its own, whose address this is."""
    with OipServer(scores, model="sentiment", version=VERSION) as server:
        set_version(database, VERSION, labels=LABELS, address=server.address)
        yield server.address


@pytest.mark.usefixtures("many_labels")
def test_ten_answers_of_750_labels_are_published_in_calls_that_sns_takes(
    start_worker: StartWorker, requests: Exchange, front: AwsFront
) -> None:
    ids = requests.send(*["a text"] * 10, version=VERSION)
    start_worker(AWS_ENDPOINT_URL=front.url)
    for answer in requests.wait_for_answers(ids):
        assert answer["output"]["scores"].keys() == set(LABELS)
    requests.wait_until_deleted()
    sizes = [[len(text) for text in call.entries().values()] for call in front.published()]
    assert sum(map(len, sizes)) == 10
    assert sum(map(sum, sizes)) > MAX_BATCH_BYTES
    assert max(map(sum, sizes)) <= MAX_BATCH_BYTES
    assert len(sizes) == 2


def test_an_answer_that_is_too_large_is_offered_once_and_becomes_an_error(
    start_worker: StartWorker,
    requests: Exchange,
    front: AwsFront,
    database: Database,
    many_labels: str,
) -> None:
    set_version(database, VERSION, labels=[n + 400 * "x" for n in LABELS], address=many_labels)
    large = requests.send(*["a text"] * 3, version=VERSION)
    small = requests.send("a text")
    start_worker(AWS_ENDPOINT_URL=front.url)
    for answer in requests.wait_for_answers(large):
        assert answer["error"]["details"][0]["reason"] == "UNDELIVERABLE"
    (answer,) = requests.wait_for_answers(small)
    assert "output" in answer
    requests.wait_until_deleted()
    offered = [entry for call in front.published() for entry in call.entries()]
    assert len(offered) == len(set(offered)) == 3 + 3 + 1  # the answers, the errors, the neighbour


@pytest.mark.parametrize(
    ("action", "reply"),
    [
        ("PublishBatch", refused_by_sns("AuthorizationError")),
        ("PublishBatch", refused_by_sns("NotFound", status=404)),
        ("ReceiveMessage", refused_by_sqs("AccessDenied")),
        ("DeleteMessageBatch", refused_by_sqs("AccessDenied")),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.status),
)
def test_what_is_wrong_with_the_bus_is_waited_out(
    start_worker: StartWorker, requests: Exchange, front: AwsFront, action: str, reply: Reply
) -> None:
    def refuse(call: Call) -> Reply | None:
        return reply if call.action == action else None

    front.rule = refuse
    (prediction_id,) = requests.send("a text")
    start_worker(AWS_ENDPOINT_URL=front.url)
    wait_until(lambda: front.refused[action] > 0)
    time.sleep(2)
    assert front.refused[action] < 12
    front.rule = lambda _: None
    (answer,) = requests.wait_for_answers([prediction_id])
    assert "output" in answer
    requests.wait_until_deleted()
    assert requests.get(prediction_id)["attempt"] == 1
