"""Clients that do not give up, and what must be true when all their requests are settled."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from google.rpc import code_pb2
from predict.v1.prediction_service_pb2 import CreatePredictionRequest, PredictRequest

from tests.e2e.mesh import MODELS, Mesh
from tests.e2e.oracle import Oracle, agree
from tests.e2e.texts import new_text
from tests.parts.doors import Answer
from tests.parts.polling import PATIENCE_S, wait_until

CLIENTS = 8
_TRY_AGAIN = {code_pb2.UNAVAILABLE, code_pb2.DEADLINE_EXCEEDED, code_pb2.RESOURCE_EXHAUSTED}
_FINISHED = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")


@dataclass
class Ask:
    """One request and what its client was told."""

    model: str
    later: bool
    text: str = field(default_factory=new_text)
    request_id: str = field(default_factory=lambda: str(uuid4()))
    prediction_id: str = ""
    """Empty until it was acknowledged."""
    refusals: list[Answer] = field(default_factory=list)

    def send(self, mesh: Mesh, *, timeout_s: float = 10) -> bool:
        """Ask once; whether it was acknowledged."""
        rpc, kind = (
            ("CreatePrediction", CreatePredictionRequest)
            if self.later
            else ("Predict", PredictRequest)
        )
        request = kind(model=self.model, text=self.text, request_id=self.request_id)
        answer = mesh.grpc.call(rpc, request, timeout_s=timeout_s)
        if answer.status.code == code_pb2.OK:
            assert answer.message.prediction.text == self.text
            self.prediction_id = answer.message.prediction.id
        else:
            assert answer.status.code in _TRY_AGAIN, answer.text
            self.refusals.append(answer)
        return bool(self.prediction_id)

    def insist(self, mesh: Mesh) -> None:
        """Ask until it is acknowledged."""
        until = time.monotonic() + PATIENCE_S
        while not self.send(mesh):
            assert time.monotonic() < until, "no acknowledgement"
            time.sleep(0.05)


def asks(number: int, *, now: bool = True, later: bool = True) -> list[Ask]:
    """As many of each kind, for both models in turn."""
    kinds = [kind for kind, wanted in ((False, now), (True, later)) if wanted]
    return [Ask(MODELS[n % 2], later=kind) for n in range(number) for kind in kinds]


def insist_on(mesh: Mesh, requests: Sequence[Ask]) -> None:
    """Ask them all, some at a time, until each is acknowledged."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(lambda ask: ask.insist(mesh), requests))


@contextmanager
def load(mesh: Mesh, requests: Sequence[Ask]) -> Iterator[None]:
    """The requests go on being made while the block runs; at its end all are acknowledged."""
    clients = threading.Thread(target=insist_on, args=(mesh, requests))
    clients.start()
    try:
        wait_until(lambda: any(ask.prediction_id for ask in requests))
        assert not all(ask.prediction_id for ask in requests)
        yield
    finally:
        clients.join()


def check_settled(mesh: Mesh, oracle: Oracle, requests: Sequence[Ask]) -> None:
    """Each request becomes one row, SUCCEEDED, with the one right answer to its own text.

    What failed before it succeeded has a row of its own.
    """
    ids = [ask.prediction_id for ask in requests]

    def all_finished() -> bool:
        ((finished,),) = mesh.query(
            "SELECT count(*) FROM requests WHERE id = ANY (%s::uuid[]) AND state::text = ANY (%s)",
            (ids, list(_FINISHED)),
        )
        return bool(finished == len(ids))

    wait_until(all_finished)
    rows = read_rows(mesh, [ask.request_id for ask in requests])
    assert Counter(row[0] for row in rows) == Counter(ask.request_id for ask in requests)
    by_request_id = {row[0]: row[1:] for row in rows}
    for model in MODELS:
        of_model = [ask for ask in requests if ask.model == model]
        rights = oracle.scores(model, [ask.text for ask in of_model])
        for ask, right in zip(of_model, rights, strict=True):
            *row, scores = by_request_id[ask.request_id]
            assert row == [ask.prediction_id, model, ask.text, "SUCCEEDED"]
            assert agree(scores, right)
    stored = "SELECT count(*) FROM requests WHERE text = ANY (%s) AND state <> 'FAILED'"
    assert mesh.query(stored, ([ask.text for ask in requests],)) == [(len(requests),)]


def read_rows(mesh: Mesh, request_ids: Sequence[str]) -> list[tuple[Any, ...]]:
    """request_id, prediction id, model, text, state, scores: one for each result."""
    return mesh.query(
        "SELECT i.request_id::text, r.id::text, r.model, r.text, r.state::text, p.scores"
        " FROM request_ids i LEFT JOIN requests r ON r.id = i.id"
        " LEFT JOIN predictions p ON p.id = r.id"
        " WHERE i.request_id = ANY (%s::uuid[])",
        (list(request_ids),),
    )
