"""Ten thousand requests of all kinds at once, many of them sent twice."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import Any
from uuid import uuid4

import grpc
import httpx
import pytest
from google.protobuf import json_format
from predict.v1.prediction_pb2 import PREDICTION_STATE_SUCCEEDED, Prediction
from predict.v1.prediction_service_pb2 import CreatePredictionRequest, PredictRequest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from tests.e2e.mesh import MODELS, Mesh
from tests.e2e.oracle import Oracle, agree
from tests.e2e.texts import new_text
from tests.e2e.workload import read_rows
from tests.integration.polling import wait_until

REQUESTS = 10_000
DISTINCT = 8_000
LATER = 1_600
IN_FLIGHT = 64

Request = PredictRequest | CreatePredictionRequest


class Client:
    """Both doors, asked from one loop."""

    def __init__(self, mesh: Mesh, http: httpx.AsyncClient, channel: grpc.aio.Channel) -> None:
        self._http = http
        self._stub = PredictionServiceStub(channel)

    async def send(self, request: Request, *, by_rest: bool) -> Prediction:
        if by_rest:
            return await self._send_by_rest(request)
        if isinstance(request, PredictRequest):
            return (await self._stub.Predict(request, timeout=30)).prediction
        return (await self._stub.CreatePrediction(request, timeout=30)).prediction

    async def _send_by_rest(self, request: Request) -> Prediction:
        verb = ":predict" if isinstance(request, PredictRequest) else "/predictions"
        body = {"text": request.text, "requestId": request.request_id}
        response = await self._http.post(f"/v1/models/{request.model}{verb}", json=body)
        assert response.status_code == httpx.codes.OK, response.text
        return json_format.Parse(response.text, Prediction())


def distinct_requests() -> list[Request]:
    kinds = [CreatePredictionRequest] * LATER + [PredictRequest] * (DISTINCT - LATER)
    return [
        kind(model=MODELS[n % 2], text=new_text(), request_id=str(uuid4()))
        for n, kind in enumerate(kinds)
    ]


def mixed(requests: list[Request]) -> list[Request]:
    """In any order; each repetition at once after its first or far from it."""
    repeated = random.sample(requests, REQUESTS - DISTINCT)
    at_once, far = repeated[::2], repeated[1::2]
    once = {request.request_id for request in at_once}
    singles = random.sample(requests + far, len(requests) + len(far))
    twins = set(once)

    def with_twins() -> Iterator[Request]:
        for request in singles:
            yield request
            if request.request_id in twins:
                twins.remove(request.request_id)
                yield request

    return list(with_twins())


async def send_all(mesh: Mesh, requests: list[Request]) -> list[Prediction]:
    answers: list[Prediction | None] = [None] * len(requests)
    remaining = iter(enumerate(requests))
    limits = httpx.Limits(max_connections=IN_FLIGHT)
    async with (
        httpx.AsyncClient(base_url=mesh.url, limits=limits, timeout=30, trust_env=False) as http,
        grpc.aio.insecure_channel(mesh.address) as channel,
    ):
        client = Client(mesh, http, channel)

        async def work() -> None:
            for number, request in remaining:
                answers[number] = await client.send(request, by_rest=number % 2 == 0)

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return [answer for answer in answers if answer is not None]


@pytest.mark.timeout(180)
async def test_ten_thousand_mixed_requests_make_one_row_each_and_no_answer_is_mixed_up(
    mesh: Mesh, oracle: Oracle
) -> None:
    distinct = distinct_requests()
    requests = mixed(distinct)
    assert len(requests) == REQUESTS
    answers = await send_all(mesh, requests)
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
    rights = {}
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
    wait_until(lambda: mesh.query(unfinished, (ids,)) == [(0,)], timeout_s=60)
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
