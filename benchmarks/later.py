"""Predictions made later: how long one takes when nothing else is to do, and a burst of them."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
from predict.v1.prediction_service_pb2 import CreatePredictionRequest, WaitPredictionRequest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from benchmarks.emulator import Emulator
from benchmarks.h2load import Call, call_grpc
from benchmarks.load import Load
from benchmarks.questions import MODEL
from benchmarks.record import Record
from benchmarks.stack import RunningStack

CREATE = "/predict.v1.PredictionService/CreatePrediction"
BURST_IN_FLIGHT = 64
FINISH_S = 300
_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Latency:
    """From the call that hands a text in to the answer that it is finished."""

    count: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, kw_only=True)
class Burst:
    """Many texts handed in as fast as they are accepted."""

    accepted: Load
    finished_s: float
    """From the first call to the last prediction finished."""
    unfinished: int
    """Predictions that were not finished within FINISH_S."""
    failed: int

    @property
    def finished_rate(self) -> float:
        """Predictions finished a second, from the first call on."""
        return (self.accepted.answers - self.unfinished) / self.finished_s


@dataclass(frozen=True, kw_only=True)
class Later:
    """All that is measured of work for later."""

    latency: Latency
    burst: Burst
    emulator_rate: float
    """Predictions a second that the emulator lets through, alone."""


def measure_latency(stack: RunningStack, texts: list[str]) -> Latency:
    """One text after another."""
    with _stub(stack.gateway) as stub:
        _predict_later(stub, texts[0])
        times_ms = [_predict_later(stub, text) for text in texts]
    percentiles = statistics.quantiles(times_ms, n=100)
    return Latency(count=len(texts), p50_ms=percentiles[49], p99_ms=percentiles[98])


def measure_burst(stack: RunningStack, record: Record, text: str, *, count: int) -> Burst:
    """Hand in `count` times one text, 64 calls at once, and wait until all are finished."""
    message = CreatePredictionRequest(model=MODEL, text=text).SerializeToString()
    call = Call(stack.gateway, CREATE, message)
    failed, began = record.failed(), time.monotonic()
    accepted = call_grpc([call], in_flight=BURST_IN_FLIGHT, amount=f"-n{count}")
    while (unfinished := record.unfinished()) and time.monotonic() < began + FINISH_S:
        time.sleep(_POLL_S)
    return Burst(
        accepted=accepted,
        finished_s=time.monotonic() - began,
        unfinished=unfinished,
        failed=record.failed() - failed,
    )


def measure_emulator(stack: RunningStack, *, seconds: float) -> float:
    """The bound on the rate of a burst, in predictions a second."""
    return Emulator(stack.aws).predictions_per_second(seconds=seconds)


def _predict_later(stub: PredictionServiceStub, text: str) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    accepted = stub.CreatePrediction(CreatePredictionRequest(model=MODEL, text=text))
    stub.WaitPrediction(WaitPredictionRequest(id=accepted.prediction.id))
    return (time.perf_counter() - began) * 1e3


@contextmanager
def _stub(address: str) -> Iterator[PredictionServiceStub]:
    with grpc.insecure_channel(address) as channel:
        yield PredictionServiceStub(channel)
