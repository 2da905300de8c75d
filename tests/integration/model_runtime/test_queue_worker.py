"""The worker of a model: what becomes of a message."""

import json
from typing import LiteralString

import pyarrow.parquet as pq
import pytest

from tests.integration.model_runtime.conftest import StartWorker
from tests.integration.model_runtime.process import Worker
from tests.integration.model_runtime.requests import QUEUE, Exchange
from tests.parts.bus_probe import Bus
from tests.parts.catalog import set_version
from tests.parts.parrot.model import checksum
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.s3 import S3
from tests.parts.triton import Triton


def reason(answer: dict[str, object]) -> str:
    """Of an answer that is an error."""
    error = answer["error"]
    assert isinstance(error, dict)
    return str(error["details"][0]["reason"])


def test_an_answer_is_the_models_and_carries_the_token_of_the_claim(
    worker: Worker, requests: Exchange
) -> None:
    (answer,) = requests.wait_for_answers(requests.send("a text"))
    assert answer["output"] == {
        "label": "neutral",
        "confidence": 0.5,
        "scores": {"negative": 0.25, "neutral": 0.5, "positive": 0.25},
        "value": 6,
    }
    assert (answer["model"], answer["version"]) == ("sentiment", "1")
    assert answer["claimToken"] == str(requests.get(answer["predictionId"])["claim_token"])


def test_every_request_gets_its_own_answer(worker: Worker, requests: Exchange) -> None:
    texts = [f"text {'x' * n}" for n in range(40)]
    answers = requests.wait_for_answers(requests.send(*texts))
    assert [answer["output"]["value"] for answer in answers] == [len(text) for text in texts]
    requests.wait_until_deleted()


def test_features_are_there_before_the_answer(worker: Worker, requests: Exchange, s3: S3) -> None:
    ids = requests.send("first", "second", "third", version="2")
    for text, answer in zip(
        ["first", "second", "third"], requests.wait_for_answers(ids), strict=True
    ):
        path, row = s3.locate(answer["featuresUri"])
        found = pq.read_table(path).slice(row, 1).to_pylist()[0]
        assert found == {
            "prediction_id": answer["predictionId"],
            "version": "2",
            "features": [2, checksum(text)],
        }


def test_a_text_that_the_model_cannot_process_fails_alone(
    start_worker: StartWorker, requests: Exchange, s3: S3
) -> None:
    texts = ["one", "two", "poison", "four", "five", "six", "poison too"]
    ids = requests.send(*texts)
    worker = start_worker()
    answers = requests.wait_for_answers(ids)
    for text, answer in zip(texts, answers, strict=True):
        if "poison" in text:
            assert reason(answer) == "MODEL_FAILED"
            assert "featuresUri" not in answer
        else:
            assert answer["output"]["value"] == len(text)
            path, row = s3.locate(answer["featuresUri"])
            assert pq.read_table(path)["features"][row].as_py() == [1, checksum(text)]
    assert "poison" not in json.dumps(answers) + worker.log


def test_a_text_that_ends_the_models_process_is_given_up_and_takes_no_other_with_it(
    start_worker: StartWorker, requests: Exchange, triton: Triton
) -> None:
    start_worker(PMESH_MAX_ATTEMPTS="2", PMESH_LEASE_S="20")
    one, crash, two = requests.send("one", "crash", "two")

    def supervise() -> bool:
        if not triton.has_stub("sentiment", "1"):
            triton.reload("sentiment")
        requests.collect()
        return {one, two} <= set(requests.answers) and requests.is_idle()

    wait_until(supervise)
    assert crash not in requests.answers
    row = requests.get(crash)
    assert (row["state"], row["attempt"], row["leased"]) == ("RUNNING", 2, False)


def test_a_message_that_comes_twice_is_answered_once(worker: Worker, requests: Exchange) -> None:
    (prediction_id,) = requests.accept()
    for _ in range(5):
        requests.publish(prediction_id)
    requests.wait_for_answers([prediction_id])
    assert requests.get(prediction_id)["attempt"] == 1
    # What is left is hidden until the lease ends, and then done with since it is finished.
    requests.execute("UPDATE requests SET state = 'SUCCEEDED'")
    requests.publish(prediction_id)
    requests.wait_for_answers(requests.send("another"))
    assert requests.answer_count == 2


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE requests SET state = 'CANCELLED'",
        "UPDATE requests SET expire_time = now()",
        "UPDATE requests SET attempt = 5",
        "UPDATE requests SET model = 'genre'",
        "DELETE FROM requests",
    ],
)
def test_what_is_over_is_never_run(
    worker: Worker, requests: Exchange, change: LiteralString
) -> None:
    (prediction_id,) = requests.accept()
    requests.execute(change)
    requests.publish(prediction_id)
    requests.wait_until_deleted()
    assert requests.answers == {}


def test_an_undecodable_message_goes_to_the_dead_letters(
    start_worker: StartWorker, requests: Exchange, bus: Bus
) -> None:
    worker = start_worker(PMESH_LEASE_S="1")
    bus.publish("inference_request", "{")
    bus.publish("inference_request", {"predictionId": "secret", "model": "sentiment"})
    (prediction_id,) = requests.accept()
    bus.publish("inference_request", {"predictionId": prediction_id, "model": "genre"})
    wait_until(lambda: bus.depth(f"{QUEUE}-dead") == 3)
    assert requests.answers == {}
    assert "secret" not in worker.log


def test_an_answer_that_the_bus_does_not_take_is_an_error_and_holds_up_no_other(
    start_worker: StartWorker, requests: Exchange, database: Database
) -> None:
    set_version(database, "2", labels=[label + 100_000 * "x" for label in "abc"])
    large = requests.send("a text", "another", version="2")
    small = requests.send("a text")
    worker = start_worker()
    for answer in requests.wait_for_answers(large):
        assert reason(answer) == "UNDELIVERABLE"
        assert answer["claimToken"] == str(requests.get(answer["predictionId"])["claim_token"])
        assert "featuresUri" not in answer
    (answer,) = requests.wait_for_answers(small)
    assert answer["output"]["label"] == "neutral"
    requests.wait_until_deleted()
    assert requests.answer_count == 3
    for prediction_id in large:
        assert worker.log.count(f"does not take what became of {prediction_id}") == 1
    assert "xxx" not in worker.log


def test_long_work_is_kept_from_others(start_worker: StartWorker, requests: Exchange) -> None:
    start_worker(PMESH_LEASE_S="1")
    start_worker(PMESH_LEASE_S="1")
    ids = requests.send("sleep 3")
    requests.wait_for_answers(ids)
    requests.wait_until_deleted()
    assert requests.answer_count == 1
    assert requests.get(ids[0])["attempt"] == 1
