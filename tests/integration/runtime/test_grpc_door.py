"""The gRPC door: what the gateway sees."""

import os

import grpc
import pyarrow.parquet as pq
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from tests.integration.polling import wait_until
from tests.integration.runtime.parrot.model import checksum
from tests.integration.runtime.process import Runtime
from tests.integration.s3 import S3
from tests.integration.triton import Triton


def refusal(
    runtime: Runtime, *texts: str, **arguments: object
) -> tuple[grpc.StatusCode, ErrorInfo]:
    """The code and the ErrorInfo of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        runtime.predict(texts, **arguments)  # type: ignore[arg-type]
    status = rpc_status.from_call(caught.value)
    info = ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    return caught.value.code(), info


def test_answers_come_in_the_order_of_the_entries(lone_runtime: Runtime) -> None:
    texts = [f"text {'x' * n}" for n in range(256)]
    results = lone_runtime.predict(texts).results
    assert [result.output.value for result in results] == [len(text) for text in texts]


def test_an_output_has_the_label_with_the_highest_score(lone_runtime: Runtime) -> None:
    (result,) = lone_runtime.predict(["a text"]).results
    assert result.output.label == "neutral"
    assert result.output.confidence == 0.5
    assert dict(result.output.scores) == {"negative": 0.25, "neutral": 0.5, "positive": 0.25}


def test_the_largest_batch_is_taken(lone_runtime: Runtime) -> None:
    results = lone_runtime.predict(["x" * 65_536] * 256).results
    assert {result.output.value for result in results} == {65_536}


def test_features_are_soon_readable_at_their_row(lone_runtime: Runtime, s3: S3) -> None:
    texts = ["first", "second", "third"]
    results = lone_runtime.predict(texts, version="2").results
    for text, result in zip(texts, results, strict=True):
        path, row = s3.locate(result.features_uri)
        wait_until(path.exists)
        found = pq.read_table(path).slice(row, 1).to_pylist()[0]
        assert found["features"] == [2, checksum(text)]
        assert found["version"] == "2"


@pytest.mark.parametrize("version", ["9", "0", "", "-1", "one"])
def test_a_version_that_is_not_loaded_is_not_found(lone_runtime: Runtime, version: str) -> None:
    code, info = refusal(lone_runtime, "a text", version=version)
    assert (code, info.reason) == (grpc.StatusCode.NOT_FOUND, "VERSION_NOT_FOUND")
    assert info.domain == "predict.v1"
    assert info.metadata == {"model": "sentiment", "version": version}


def test_another_model_is_not_found(lone_runtime: Runtime) -> None:
    code, info = refusal(lone_runtime, "a text", model="genre")
    assert (code, info.reason) == (grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")


@pytest.mark.parametrize("size", [0, 257])
def test_a_batch_of_a_wrong_size_is_refused(lone_runtime: Runtime, size: int) -> None:
    code, info = refusal(lone_runtime, *["a text"] * size)
    assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BATCH_SIZE")
    assert info.metadata["size"] == str(size)


def test_a_text_that_the_model_cannot_process_fails_the_batch(lone_runtime: Runtime) -> None:
    code, info = refusal(lone_runtime, "a text", "poison")
    assert (code, info.reason) == (grpc.StatusCode.INTERNAL, "MODEL_FAILED")
    assert "poison" not in lone_runtime.log


def test_the_deadline_goes_on_to_the_model(lone_runtime: Runtime) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        lone_runtime.predict(["sleep 3"], timeout_s=0.5)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_dead_backend_process_is_told_and_got_over(lone_runtime: Runtime, triton: Triton) -> None:
    triton.kill_stub("sentiment", "1")
    code, info = refusal(lone_runtime, "a text")
    assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, "MODEL_UNAVAILABLE")
    wait_until(lambda: not lone_runtime.is_serving())
    triton.restart()
    lone_runtime.wait_until_serving()
    assert len(lone_runtime.predict(["a text"]).results) == 1


def test_answers_do_not_wait_for_features_that_cannot_be_written(
    lone_runtime: Runtime, s3: S3
) -> None:
    s3.stop()
    try:
        (result,) = lone_runtime.predict(["a text"]).results
        wait_until(lambda: "S3 is away" in lone_runtime.log)
    finally:
        s3.start()
    path, _ = s3.locate(result.features_uri)
    wait_until(path.exists, timeout_s=20)


def test_features_in_memory_are_written_when_the_runtime_stops(runtime: Runtime, s3: S3) -> None:
    (result,) = runtime.predict(["a text"]).results
    assert runtime.stop() == 0
    path, _ = s3.locate(result.features_uri)
    assert path.exists()


def test_the_process_is_set_up_for_throughput(lone_runtime: Runtime) -> None:
    assert os.sched_getscheduler(lone_runtime.process.pid) == os.SCHED_BATCH
