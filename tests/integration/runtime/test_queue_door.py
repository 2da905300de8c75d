"""The queue door: what becomes of a message."""

import json

import pyarrow.parquet as pq
import pytest

from tests.integration.aws import Aws
from tests.integration.bus_probe import Bus
from tests.integration.polling import wait_until
from tests.integration.postgres import Postgres
from tests.integration.runtime.conftest import StartRuntime
from tests.integration.runtime.parrot.model import checksum
from tests.integration.runtime.process import Runtime
from tests.integration.runtime.requests import QUEUE, Requests
from tests.integration.s3 import S3
from tests.integration.triton import Triton


def reason(answer: dict[str, object]) -> str:
    """Of an answer that is an error."""
    error = answer["error"]
    assert isinstance(error, dict)
    return str(error["details"][0]["reason"])


def test_both_doors_give_the_same_output(runtime: Runtime, requests: Requests) -> None:
    (direct,) = runtime.predict(["a text"]).results
    (answer,) = requests.wait_for_answers(requests.send("a text"))
    assert answer["output"] == {
        "label": direct.output.label,
        "confidence": direct.output.confidence,
        "scores": dict(direct.output.scores),
        "value": direct.output.value,
    }
    assert (answer["model"], answer["version"], answer["attempt"]) == ("sentiment", "1", 1)


def test_every_request_gets_its_own_answer(runtime: Runtime, requests: Requests) -> None:
    texts = [f"text {'x' * n}" for n in range(40)]
    answers = requests.wait_for_answers(requests.send(*texts))
    assert [answer["output"]["value"] for answer in answers] == [len(text) for text in texts]
    requests.wait_until_deleted()


def test_features_are_there_before_the_answer(runtime: Runtime, requests: Requests, s3: S3) -> None:
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
    start_runtime: StartRuntime, requests: Requests
) -> None:
    ids = requests.send("one", "two", "poison", "four", "five", "six", "poison too")
    runtime = start_runtime()
    answers = requests.wait_for_answers(ids)
    assert [answer.get("output", {}).get("value") for answer in answers] == [
        3,
        3,
        None,
        4,
        4,
        3,
        None,
    ]
    assert reason(answers[2]) == reason(answers[6]) == "MODEL_FAILED"
    assert "poison" not in json.dumps(answers) + runtime.log


def test_a_text_that_ends_the_models_process_is_given_up_and_takes_no_other_with_it(
    start_runtime: StartRuntime, requests: Requests, triton: Triton
) -> None:
    start_runtime(PMESH_MAX_ATTEMPTS="2", PMESH_LEASE_S="3")
    one, crash, two = requests.send("one", "crash", "two")

    def supervise() -> bool:
        if not triton.has_stub("sentiment", "1"):
            triton.reload("sentiment")
        requests.collect()
        return {one, two} <= set(requests.answers) and requests.is_idle()

    wait_until(supervise, timeout_s=90)
    assert crash not in requests.answers
    assert requests.state(crash) == {"state": "RUNNING", "attempt": 2, "leased": False}


def test_a_version_that_is_not_loaded_is_an_error(runtime: Runtime, requests: Requests) -> None:
    (answer,) = requests.wait_for_answers(requests.send("a text", version="9"))
    assert reason(answer) == "VERSION_NOT_FOUND"


def test_a_message_that_comes_twice_is_answered_once(runtime: Runtime, requests: Requests) -> None:
    prediction_id = requests.accept("a text")
    for _ in range(5):
        requests.publish(prediction_id)
    requests.wait_for_answers([prediction_id])
    assert requests.state(prediction_id)["attempt"] == 1
    # What is left is hidden until the lease ends, and then done with since it is finished.
    requests.execute("UPDATE requests SET state = 'SUCCEEDED'")
    requests.publish(prediction_id)
    other = requests.send("another")
    requests.wait_for_answers(other)
    assert requests.answer_count == 2


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE requests SET state = 'CANCELLED'",
        "UPDATE requests SET expire_time = now()",
        "UPDATE requests SET attempt = 5",
        "DELETE FROM requests",
    ],
)
def test_what_is_over_is_never_run(runtime: Runtime, requests: Requests, change: str) -> None:
    prediction_id = requests.accept("a text")
    requests.execute(change)  # type: ignore[arg-type]
    requests.publish(prediction_id)
    requests.wait_until_deleted()
    assert requests.answers == {}


def test_what_is_cancelled_while_the_model_is_away_is_never_run(
    runtime: Runtime, requests: Requests, triton: Triton
) -> None:
    triton.kill()
    try:
        cancelled, kept = requests.send("cancelled", "kept")
        wait_until(lambda: requests.state(cancelled)["state"] == "RUNNING")
        requests.execute("UPDATE requests SET state = 'CANCELLED' WHERE id = %s", (cancelled,))
    finally:
        triton.start()
    requests.wait_for_answers([kept])
    assert set(requests.answers) == {kept}
    assert requests.answers[kept]["attempt"] == 1


def test_an_undecodable_message_goes_to_the_dead_letters(
    start_runtime: StartRuntime, requests: Requests, bus: Bus
) -> None:
    runtime = start_runtime(PMESH_LEASE_S="1")
    bus.publish("inference_request", "{")
    bus.publish("inference_request", {"predictionId": "secret", "model": "sentiment"})
    bus.publish("inference_request", {"predictionId": requests.accept("x"), "model": "genre"})
    wait_until(lambda: bus.depth(f"{QUEUE}-dead") == 3, timeout_s=30)
    assert requests.answers == {}
    assert "secret" not in runtime.log


def test_long_work_is_kept_from_others(
    start_runtime: StartRuntime, requests: Requests, bus: Bus
) -> None:
    start_runtime(PMESH_LEASE_S="1")
    start_runtime(PMESH_LEASE_S="1")
    ids = requests.send("sleep 3")
    (answer,) = requests.wait_for_answers(ids)
    assert answer["attempt"] == 1
    requests.wait_until_deleted()
    assert requests.answer_count == 1


def test_stopping_finishes_what_runs(runtime: Runtime, requests: Requests) -> None:
    ids = requests.send("sleep 2")
    wait_until(lambda: requests.state(ids[0])["state"] == "RUNNING")
    assert runtime.stop() == 0
    requests.wait_for_answers(ids)
    requests.wait_until_deleted()


def test_stopping_gives_back_what_cannot_run(
    runtime: Runtime, requests: Requests, bus: Bus, triton: Triton
) -> None:
    triton.kill()
    try:
        (prediction_id,) = requests.send("a text")
        wait_until(lambda: requests.state(prediction_id)["state"] == "RUNNING")
        assert runtime.stop() == 0
        assert not requests.state(prediction_id)["leased"]
        assert [json.loads(m["Body"])["predictionId"] for m in bus.receive(QUEUE)] == [
            prediction_id
        ]
    finally:
        triton.start()


def test_a_second_signal_ends_it_at_once(runtime: Runtime, requests: Requests) -> None:
    ids = requests.send("sleep 5")
    wait_until(lambda: requests.state(ids[0])["state"] == "RUNNING")
    runtime.terminate()
    wait_until(lambda: "draining" in runtime.log)
    runtime.terminate()
    assert runtime.process.wait(timeout=2) == 128 + 15


def test_it_goes_on_after_each_outage(
    runtime: Runtime, requests: Requests, bus: Bus, aws: Aws, s3: S3, postgres: Postgres
) -> None:
    postgres.stop_immediately()
    postgres.start()
    requests.wait_for_answers(requests.send("after PostgreSQL"))
    s3.stop()
    ids = requests.send("before S3")
    wait_until(lambda: "S3 is away" in runtime.log)
    s3.start()
    requests.wait_for_answers(ids)
    aws.stop()
    wait_until(lambda: "the queue is away" in runtime.log)
    aws.start()
    bus.provision()
    requests.wait_for_answers(requests.send("after the bus"))
    assert runtime.log.count("the queue is away") == 1
