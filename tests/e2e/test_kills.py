"""Any process may die at any step: nothing acknowledged is lost, and nothing happens twice.

Each fault is seen to have fired. Clients give each request an id and ask again until they are
answered, as a client must that does not know whether its request arrived.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.rpc import code_pb2

from pmesh.stack.processes import session_members
from tests.e2e.completions import Completions
from tests.e2e.mesh import Mesh
from tests.e2e.oracle import Oracle
from tests.e2e.texts import CANARY
from tests.e2e.workload import asks, check_settled, insist_on, load, read_rows
from tests.parts.polling import wait_until


@dataclass(frozen=True)
class Step:
    """Where a process dies."""

    name: str
    part: str
    place: str
    text: str = ""
    """Only in a call whose arguments hold this."""


# In an order that leaves each part time between its deaths.
STEPS = [
    Step(
        "the gateway, before it commits an answer",
        "gateway",
        "gateway.store.predictions:PredictionStore._insert_finished:before",
    ),
    Step(
        "the relay, before it publishes",
        "relay",
        "bus.sns:Topic._publish_batch:before",
        "inference_request",
    ),
    Step(
        "the worker, when it has received",
        "worker-sentiment",
        "model_runtime.claims:Claims.claim:before",
    ),
    Step(
        "the gateway, after it has committed an answer",
        "gateway",
        "gateway.store.predictions:PredictionStore.insert_finished:after",
    ),
    Step(
        "the relay, after it has published",
        "relay",
        "bus.sns:Topic._publish_batch:after",
        "inference_request",
    ),
    Step(
        "the worker, when it has claimed",
        "worker-genre",
        "model_runtime.claims:Claims.claim:after",
    ),
    Step(
        "the gateway, after it has accepted for later",
        "gateway",
        "gateway.store.predictions:PredictionStore.insert_accepted:after",
    ),
    Step(
        "the relay, before it commits results",
        "relay",
        "relay.responses:Responses.commit:before",
        "Delivery",
    ),
    Step(
        "the worker, after the inference",
        "worker-sentiment",
        "features.objects:FeatureObjects.put:before",
    ),
    Step(
        "the gateway, before it accepts for later",
        "gateway",
        "gateway.store.predictions:PredictionStore._insert_accepted:before",
    ),
    Step(
        "the relay, after it has committed results",
        "relay",
        "relay.responses:Responses.commit:after",
        "Delivery",
    ),
    Step(
        "the worker, when the features are in S3",
        "worker-genre",
        "features.objects:FeatureObjects.put:after",
    ),
    Step(
        "the gateway, before it asks a model",
        "gateway",
        "inference.server:ModelServer.infer:before",
        CANARY,
    ),
    Step(
        "the worker, before it asks a model",
        "worker-sentiment",
        "inference.server:ModelServer.infer:before",
        CANARY,
    ),
    Step(
        "the shipper, before it writes an object",
        "features",
        "features.objects:FeatureObjects.put_file:before",
    ),
    Step(
        "the gateway, when it has kept features",
        "gateway",
        "features.spool:Spool.append:after",
    ),
    Step(
        "the relay, before it tells of completions",
        "relay",
        "bus.sns:Topic._publish_batch:before",
        "job_completed",
    ),
    Step(
        "the shipper, when an object is written",
        "features",
        "features.objects:FeatureObjects.put_file:after",
    ),
    Step(
        "the worker, when it has published",
        "worker-genre",
        "bus.sns:Topic.publish:after",
    ),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_process_dies_and_nothing_is_lost_or_done_twice(
    mesh: Mesh, oracle: Oracle, completions: Completions, step: Step
) -> None:
    requests = asks(20)
    with mesh.fault(step.part, step.place, text=step.text) as fault:
        insist_on(mesh, requests)
        wait_until(lambda: fault.deaths == 1)
        check_settled(mesh, oracle, requests)
        completions.check({ask.prediction_id: "SUCCEEDED" for ask in requests})


def kill(mesh: Mesh, part: str, number: signal.Signals) -> None:
    """Kill a part and see it come back."""
    mesh.wait_ready(part, after=mesh.stack.kill(part, number))


@pytest.mark.parametrize(
    ("part", "number"),
    [("postgres", signal.SIGQUIT), ("gateway", signal.SIGKILL), ("s3", signal.SIGKILL)],
)
def test_a_part_dies_under_load(
    mesh: Mesh, oracle: Oracle, part: str, number: signal.Signals
) -> None:
    requests = asks(200)
    with load(mesh, requests):
        kill(mesh, part, number)
    check_settled(mesh, oracle, requests)


def test_what_postgres_had_not_acknowledged_is_there_once_or_not_at_all(
    mesh: Mesh, oracle: Oracle
) -> None:
    requests = asks(400, later=False)
    crash = threading.Timer(0.2, lambda: mesh.stack.kill("postgres", signal.SIGQUIT))
    pid = mesh.stack.part("postgres").pid
    assert pid is not None
    crash.start()
    for ask in requests:  # each of them once
        if not ask.send(mesh, timeout_s=2) and len([a for a in requests if a.refusals]) > 20:
            break
    mesh.wait_ready("postgres", after=pid)
    tried = [ask for ask in requests if ask.prediction_id or ask.refusals]
    acknowledged = {ask.request_id: ask.prediction_id for ask in tried if ask.prediction_id}
    assert 0 < len(acknowledged) < len(tried)
    stored = [(row[0], row[1]) for row in read_rows(mesh, [ask.request_id for ask in tried])]
    assert len(stored) == len(dict(stored))
    assert acknowledged.items() <= dict(stored).items()
    insist_on(mesh, tried)
    check_settled(mesh, oracle, tried)


def test_the_broker_is_lost_with_all_its_messages(mesh: Mesh, oracle: Oracle) -> None:
    requests = asks(150, now=False)
    with mesh.stopped("worker-sentiment"):
        insist_on(mesh, requests)
        waiting = (
            "SELECT count(*) FROM requests WHERE publish_time IS NOT NULL AND state = 'ACCEPTED'"
        )
        wait_until(lambda: mesh.query(waiting)[0][0] > 0)
        kill(mesh, "aws", signal.SIGKILL)
    check_settled(mesh, oracle, requests)


def test_a_worker_that_stood_still_for_longer_than_its_lease(mesh: Mesh, oracle: Oracle) -> None:
    requests = asks(10, now=False)
    claimed = "SELECT FROM requests WHERE text = ANY (%s) AND lease_until > now()"
    texts = ([ask.text for ask in requests if ask.model == "sentiment"],)
    with mesh.stopped("triton"):
        insist_on(mesh, requests)
        wait_until(lambda: mesh.query(claimed, texts) != [])
        mesh.stack.kill("worker-sentiment", signal.SIGSTOP)
    wait_until(lambda: mesh.query(claimed, texts) == [])
    mesh.stack.kill("worker-sentiment", signal.SIGCONT)
    check_settled(mesh, oracle, requests)


def stub_of(mesh: Mesh, model: str) -> int:
    """The process in which Triton runs a model."""
    triton = mesh.stack.part("triton").pid
    assert triton is not None
    for pid in session_members(triton):
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"triton_python_backend_stub" in arguments[0] and f"/{model}/".encode() in arguments[1]:
            return pid
    raise LookupError(model)


def test_a_dead_process_of_a_model_never_answers_and_is_replaced(
    mesh: Mesh, oracle: Oracle
) -> None:
    check_model_outage(mesh, oracle, lambda: os.kill(stub_of(mesh, "sentiment"), signal.SIGKILL))


def test_a_killed_triton_is_restarted_and_calls_fail_cleanly_meanwhile(
    mesh: Mesh, oracle: Oracle
) -> None:
    check_model_outage(mesh, oracle, lambda: mesh.stack.kill("triton"))


def check_model_outage(mesh: Mesh, oracle: Oracle, cut: Callable[[], object]) -> None:
    triton = mesh.stack.part("triton").pid
    assert triton is not None
    requests = asks(40, now=False) + asks(1, later=False)
    cut()
    began = time.monotonic()
    insist_on(mesh, requests)
    now = requests[-1]
    assert now.refusals
    for refusal in now.refusals:
        assert refusal.status.code == code_pb2.UNAVAILABLE
        assert refusal.info.reason == "MODEL_UNAVAILABLE"
    mesh.wait_ready("triton", after=triton)
    check_settled(mesh, oracle, requests)
    assert time.monotonic() - began < 60
