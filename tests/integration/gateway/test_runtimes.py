"""The gateway's side of ModelRuntimeService, against a runtime that is not ours."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from predict.v1 import model_runtime_service_pb2 as pb
from predict.v1 import model_runtime_service_pb2_grpc as pb_grpc

from gateway.errors import ModelFailed, ModelNotFound, ModelNotReleased, VersionNotFound
from gateway.runtimes import Runtimes
from gateway.store.catalog import Model, Version


class Shouting(pb_grpc.ModelRuntimeServiceServicer):
    """Labels a text with itself in capitals; has version 1. It cannot process "bad", and of
    "odd" it says no number."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    async def PredictBatch(
        self,
        request: pb.PredictBatchRequest,
        context: grpc.aio.ServicerContext[pb.PredictBatchRequest, pb.PredictBatchResponse],
    ) -> pb.PredictBatchResponse:
        texts = [entry.text for entry in request.entries]
        self.batches.append(texts)
        if request.version != "1":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such version")
        if "bad" in texts:
            detail = AnyMessage()
            detail.Pack(error_details_pb2.ErrorInfo(reason="MODEL_FAILED", domain="predict.v1"))
            status = status_pb2.Status(code=13, message="cannot", details=[detail])
            await context.abort_with_status(rpc_status.to_status(status))
        response = pb.PredictBatchResponse()
        for text in texts:
            output = response.results.add().output
            output.label = text.upper()
            output.confidence = float("nan") if text == "odd" else 1.0
        return response


STATES = {"1": "SERVING", "3": "LOADING", "4": "DRAINING", "5": "RETIRED", "6": "REFUSED"}
VERSIONS = {
    version: Version(version, state, "", datetime.now(UTC))
    for version, state in {**STATES, "7": "SERVING"}.items()
}


@pytest.fixture
def servicer() -> Shouting:
    return Shouting()


@pytest.fixture
async def runtimes(servicer: Shouting) -> AsyncIterator[Runtimes]:
    server = grpc.aio.server()
    pb_grpc.add_ModelRuntimeServiceServicer_to_server(servicer, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    models = {
        "shout": Model("shout", "", [], address, {"1": 100}, VERSIONS),
        "split": Model("split", "", [], address, {"9": 30, "10": 70}),
        "new": Model("new", "", [], address, {}),
    }
    limits = {"max_batch": 8, "batches_in_flight": 1, "max_waiting": 100}
    async with Runtimes(lambda: models, **limits, timeout_s=5) as opened:
        yield opened
    await server.stop(None)


async def label(runtimes: Runtimes, text: str, version: str = "1") -> str:
    answer = await runtimes.predict("shout", version, prediction_id="id", text=text)
    return answer.output.label


async def test_calls_that_come_together_go_together(runtimes: Runtimes, servicer: Shouting) -> None:
    labels = await asyncio.gather(*(label(runtimes, text) for text in "abc"))
    assert labels == ["A", "B", "C"]
    assert servicer.batches == [["a", "b", "c"]]


@pytest.mark.parametrize("bad", ["bad", "odd"])
async def test_a_text_that_the_model_cannot_process_fails_alone(
    runtimes: Runtimes, bad: str
) -> None:
    outcomes = await asyncio.gather(
        *(label(runtimes, text) for text in ("a", bad, "c")), return_exceptions=True
    )
    assert (outcomes[0], outcomes[2]) == ("A", "C")
    assert isinstance(outcomes[1], ModelFailed)


async def test_a_version_that_does_not_exist_is_not_found_and_not_remembered(
    runtimes: Runtimes,
) -> None:
    for version in ("2", "3"):
        with pytest.raises(VersionNotFound):
            await label(runtimes, "a", version)
    assert len(runtimes._batchers) == 0
    await label(runtimes, "a")
    assert len(runtimes._batchers) == 1


def test_a_pinned_version_is_chosen_whatever_the_traffic(runtimes: Runtimes) -> None:
    assert runtimes.choose_version("shout", pinned="7", sticky_key="k") == "7"


@pytest.mark.parametrize("version", ["3", "4", "5", "6", "8"])
def test_a_pinned_version_must_serve(runtimes: Runtimes, version: str) -> None:
    """It may be loaded: by a release that still tries it out, or until it has drained."""
    with pytest.raises(VersionNotFound):
        runtimes.choose_version("shout", pinned=version, sticky_key="k")


def test_the_traffic_policy_splits_by_key_and_sticks_to_it(runtimes: Runtimes) -> None:
    def choose(n: int) -> str:
        return runtimes.choose_version("split", pinned="", sticky_key=f"key-{n}")

    chosen = [choose(n) for n in range(10_000)]
    assert chosen == [choose(n) for n in range(10_000)]
    # 5 standard deviations of a binomial of 10,000 at 0.3.
    assert abs(Counter(chosen)["9"] - 3000) < 230


def test_a_model_must_exist_and_be_released(runtimes: Runtimes) -> None:
    with pytest.raises(ModelNotFound):
        runtimes.choose_version("other", pinned="", sticky_key="k")
    with pytest.raises(ModelNotReleased):
        runtimes.choose_version("new", pinned="", sticky_key="k")
