"""A version is released, and rolled back, while others ask for predictions."""

import threading
import time
from dataclasses import dataclass

import grpc
from predict.v1.model_pb2 import ReleaseAction
from predict.v1.prediction_service_pb2 import PredictRequest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from benchmarks import questions
from benchmarks.h2load import Call, call_grpc
from benchmarks.load import Load
from benchmarks.questions import MODEL
from benchmarks.stack import ACTOR, RunningStack
from pmesh.releases import ReleaseClient

IN_FLIGHT = 4
"""Calls of the load: some of the machine is left for the release."""
_POLL_S = 0.005
_WAIT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Releases:
    """What was measured."""

    first_answer_s: float
    """From asking to the first answer of the new version, idle."""
    rollback_s: float
    """From asking to the first answer of the old version."""
    quiet: Load
    """A load without a release."""
    swap: Load
    """The same load during a whole release, its checks included."""


def measure_releases(stack: RunningStack, text: str) -> Releases:
    """Train a second version, release it, roll it back, and release it again under load."""
    version = stack.train("--seed", "1")
    with ReleaseClient(stack.gateway) as client:
        asked = _Asked(stack, client, text)
        first_answer_s, release_s = asked.release(version)
        rollback_s = asked.roll_back()
        asked.wait_until_unloaded(version)
        quiet = asked.load(release_s)
        answers: list[Load] = []
        load = threading.Thread(target=lambda: answers.append(asked.load(1.5 * release_s)))
        load.start()
        asked.release(version)
        load.join()
    return Releases(
        first_answer_s=first_answer_s, rollback_s=rollback_s, quiet=quiet, swap=answers[0]
    )


class _Asked:
    """What a person asks for, and what a client sees of it."""

    def __init__(self, stack: RunningStack, client: ReleaseClient, text: str) -> None:
        self._stack = stack
        self._client = client
        self._message = questions.predict_message(text)
        self._request = PredictRequest(model=MODEL, text=text)
        self._stub = PredictionServiceStub(grpc.insecure_channel(stack.gateway))

    def release(self, version: str) -> tuple[float, float]:
        """Seconds until the first answer of the version, and until the release is done."""
        began = time.monotonic()
        # Of two seeds one is a little worse.
        release = self._client.release(MODEL, version, actor=ACTOR, margin=1)
        first_s = self._wait_for(version) - began
        self._client.outcome(release)
        return first_s, time.monotonic() - began

    def roll_back(self) -> float:
        """Seconds until the first answer of the version before."""
        began = time.monotonic()
        action = ReleaseAction.RELEASE_ACTION_ROLLBACK
        self._client.shift(MODEL, action, actor=ACTOR, reason="")
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
