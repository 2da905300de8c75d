"""Ten thousand requests of all kinds at once, many of them sent twice."""

import json
import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http import HTTPStatus
from http.client import HTTPConnection
from itertools import chain
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf import json_format
from predict.v1.prediction_pb2 import PREDICTION_STATE_SUCCEEDED, Prediction
from predict.v1.prediction_service_pb2 import CreatePredictionRequest, PredictRequest

from tests.e2e.mesh import MODELS, Mesh
from tests.e2e.oracle import Oracle, agree
from tests.e2e.texts import new_text
from tests.e2e.workload import read_rows
from tests.parts.polling import wait_until

REQUESTS = 10_000
DISTINCT = 8_000
LATER = 1_600
IN_FLIGHT = 64

Request = PredictRequest | CreatePredictionRequest


class Client:
    """One user of both doors; it has one call in flight."""

    def __init__(self, mesh: Mesh) -> None:
        self._stub = mesh.predictions
        self._http = HTTPConnection(mesh.address, timeout=30)

    def close(self) -> None:
        self._http.close()

    def send(self, request: Request, *, by_rest: bool) -> Prediction:
        if by_rest:
            return self._send_by_rest(request)
        if isinstance(request, PredictRequest):
            return self._stub.Predict(request, timeout=30).prediction
        return self._stub.CreatePrediction(request, timeout=30).prediction

    def _send_by_rest(self, request: Request) -> Prediction:
        verb = ":predict" if isinstance(request, PredictRequest) else "/predictions"
        body = json.dumps({"text": request.text, "requestId": request.request_id})
        path, headers = f"/v1/models/{request.model}{verb}", {"content-type": "application/json"}
        self._http.request("POST", path, body, headers)
        response = self._http.getresponse()
        answer = response.read()
        assert response.status == HTTPStatus.OK, answer
        return json_format.Parse(answer, Prediction())


def distinct_requests() -> list[Request]:
    kinds = [CreatePredictionRequest] * LATER + [PredictRequest] * (DISTINCT - LATER)
    return [
        kind(model=MODELS[n % 2], text=new_text(), request_id=str(uuid4()))
        for n, kind in enumerate(kinds)
    ]


def mixed(requests: list[Request]) -> list[Request]:
    """In any order; of the repetitions half follow their first at once, half come at any time."""
    repeated = random.sample(requests, REQUESTS - DISTINCT)
    at_once, at_any_time = repeated[::2], repeated[1::2]
    doubled = {request.request_id for request in at_once}
    order = random.sample(requests, len(requests))
    order = [twin for one in order for twin in [one] * (1 + (one.request_id in doubled))]
    for request in at_any_time:
        order.insert(random.randrange(len(order)), request)  # noqa: S311
    return order


def send_all(mesh: Mesh, requests: list[Request]) -> list[Prediction]:
    """All of them, IN_FLIGHT at a time, through both doors in turn."""
    clients: SimpleQueue[Client] = SimpleQueue()

    def send(number: int, request: Request) -> Prediction:
        client = clients.get()
        try:
            return client.send(request, by_rest=number % 2 == 0)
        finally:
            clients.put(client)

    with ExitStack() as opened, ThreadPoolExecutor(IN_FLIGHT) as users:
        for _ in range(IN_FLIGHT):
            clients.put(opened.enter_context(closing(Client(mesh))))
        return list(users.map(send, range(len(requests)), requests))


@pytest.mark.timeout(180)
def test_ten_thousand_mixed_requests_make_one_row_each_and_no_answer_is_mixed_up(
    mesh: Mesh, oracle: Oracle
) -> None:
    distinct = distinct_requests()
    requests = mixed(distinct)
    assert len(requests) == REQUESTS
    answers = send_all(mesh, requests)
    predictions: dict[str, set[str]] = defaultdict(set)
    for request, answer in zip(requests, answers, strict=True):
        assert (answer.model, answer.text) == (request.model, request.text)
        predictions[request.request_id].add(answer.id)
    assert all(len(ids) == 1 for ids in predictions.values())
    rights = right_scores(oracle, distinct)
    for request, answer in zip(requests, answers, strict=True):
        if answer.state == PREDICTION_STATE_SUCCEEDED:
            assert agree(answer.output.scores, rights[request.request_id])
        else:
            assert isinstance(request, CreatePredictionRequest)
    check_rows(mesh, distinct, predictions, rights)


def right_scores(oracle: Oracle, requests: list[Request]) -> dict[str, dict[str, float]]:
    """By request_id; different enough to tell whose answer one is."""
    rights: dict[str, dict[str, float]] = {}
    for model in MODELS:
        of_model = [request for request in requests if request.model == model]
        scores = oracle.scores(model, [request.text for request in of_model])
        rights |= {request.request_id: s for request, s in zip(of_model, scores, strict=True)}
    assert len({tuple(scores.values()) for scores in rights.values()}) > 0.9 * len(rights)
    return rights


def check_rows(
    mesh: Mesh,
    requests: list[Request],
    predictions: dict[str, set[str]],
    rights: dict[str, dict[str, float]],
) -> None:
    ids = list(chain.from_iterable(predictions.values()))
    unfinished = (
        "SELECT count(*) FROM requests WHERE id = ANY (%s::uuid[]) AND state <> 'SUCCEEDED'"
    )
    wait_until(lambda: mesh.query(unfinished, (ids,)) == [(0,)])
    rows: dict[str, tuple[Any, ...]] = {}
    for request_id, *row in read_rows(mesh, [request.request_id for request in requests]):
        assert request_id not in rows
        rows[request_id] = tuple(row)
    for request in requests:
        prediction_id, model, text, _, scores = rows[request.request_id]
        assert {prediction_id} == predictions[request.request_id]
        assert (model, text) == (request.model, request.text)
        assert agree(scores, rights[request.request_id])
    texts = [request.text for request in requests]
    stored = mesh.query("SELECT count(*) FROM requests WHERE text = ANY (%s)", (texts,))
    assert stored == [(len(requests),)]
