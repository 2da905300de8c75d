"""A version is released, and rolled back, while others ask for predictions."""

import subprocess
import threading
import time
from dataclasses import dataclass

import grpc
from predict.v1.prediction_service_pb2 import PredictRequest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from benchmarks import questions
from benchmarks.h2load import Call, call_grpc
from benchmarks.load import Load
from benchmarks.questions import MODEL
from benchmarks.stack import RunningStack

IN_FLIGHT = 4
"""Calls of the load: some of the machine is left for the release."""
_POLL_S = 0.005
_WAIT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Releases:
    """What was measured."""

    first_answer_s: float
    """From the command to the first answer of the new version, idle."""
    rollback_s: float
    """From the command to the first answer of the old version."""
    quiet: Load
    """A load without a release."""
    swap: Load
    """The same load during a whole release, its checks included."""


def measure_releases(stack: RunningStack, text: str) -> Releases:
    """Train a second version, release it, roll it back, and release it again under load."""
    programs = _Programs(stack, text)
    version = stack.train("--seed", "1")
    first_answer_s, release_s = programs.release(version)
    rollback_s = programs.roll_back()
    programs.wait_until_unloaded(version)
    quiet = programs.load(release_s)
    answers: list[Load] = []
    load = threading.Thread(target=lambda: answers.append(programs.load(1.5 * release_s)))
    load.start()
    programs.release(version)
    load.join()
    return Releases(
        first_answer_s=first_answer_s, rollback_s=rollback_s, quiet=quiet, swap=answers[0]
    )


class _Programs:
    """What a person types, and what a client sees of it."""

    def __init__(self, stack: RunningStack, text: str) -> None:
        self._stack = stack
        self._environment = stack.environment()
        self._message = questions.predict_message(text)
        self._request = PredictRequest(model=MODEL, text=text)
        self._stub = PredictionServiceStub(grpc.insecure_channel(stack.gateway))

    def release(self, version: str) -> tuple[float, float]:
        """Seconds until the first answer of the version, and until the command has ended."""
        began = time.monotonic()
        # Of two seeds one is a little worse.
        command = self._stack.program("rollout", "release", f"{MODEL}@{version}", "--margin", "1")
        with subprocess.Popen(command, env=self._environment) as process:
            first_s = self._wait_for(version) - began
        if process.returncode:
            raise RuntimeError(f"the release ended with {process.returncode}")
        return first_s, time.monotonic() - began

    def roll_back(self) -> float:
        """Seconds until the first answer of the version before."""
        began = time.monotonic()
        command = self._stack.program("rollout", "rollback", MODEL)
        with subprocess.Popen(command, env=self._environment, stdout=subprocess.DEVNULL):
            return self._wait_for(self._stack.version) - began

    def wait_until_unloaded(self, version: str) -> None:
        """The rollout process takes away what has drained."""
        until = time.monotonic() + _WAIT_S
        while (self._stack.directory / "triton_repo" / MODEL / version).exists():
            if time.monotonic() > until:
                raise RuntimeError(f"version {version} is still loaded")
            time.sleep(0.2)

    def load(self, seconds: float) -> Load:
        """Predictions, without a pause."""
        call = Call(self._stack.gateway, questions.PREDICT, self._message)
        return call_grpc([call], in_flight=IN_FLIGHT, amount=f"-D{seconds:.0f}")

    def _wait_for(self, version: str) -> float:
        until = time.monotonic() + _WAIT_S
        while self._stub.Predict(self._request).prediction.version != version:
            if time.monotonic() > until:
                raise RuntimeError(f"version {version} does not answer")
            time.sleep(_POLL_S)
        return time.monotonic()
