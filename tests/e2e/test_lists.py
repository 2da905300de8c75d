"""Lists of predictions: pages and conditions."""

from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from predict.v1 import prediction_pb2
from predict.v1.prediction_service_pb2 import (
    BatchPredictRequest,
    CreatePredictionRequest,
    ListPredictionsRequest,
    WaitPredictionRequest,
)

from tests.e2e.mesh import MODELS, Mesh
from tests.e2e.texts import new_text, new_texts
from tests.parts.doors import Door


@pytest.fixture(scope="module")
def made(mesh: Mesh) -> list[prediction_pb2.Prediction]:
    """Seven predictions of each model, the oldest first, the last two made later."""
    predictions = []
    for model in MODELS:
        batch = BatchPredictRequest(model=model, entries=[{"text": t} for t in new_texts(5)])
        results = mesh.grpc.call("BatchPredict", batch).message.results
        predictions += [result.prediction for result in results]
        for _ in range(2):
            create = CreatePredictionRequest(model=model, text=new_text())
            later = mesh.grpc.call("CreatePrediction", create).message.prediction
            wait = WaitPredictionRequest(id=later.id)
            predictions.append(mesh.grpc.call("WaitPrediction", wait).message.prediction)
    return sorted(predictions, key=lambda prediction: prediction.id)


def walk(door: Door, request: ListPredictionsRequest) -> list[list[prediction_pb2.Prediction]]:
    """All pages of a list."""
    pages = []
    while True:
        answer = door.call("ListPredictions", request).message
        pages.append(list(answer.predictions))
        if not answer.next_page_token:
            return pages
        request.page_token = answer.next_page_token


def after(made: Sequence[prediction_pb2.Prediction]) -> Timestamp:
    """A moment after the last of them was accepted."""
    end = Timestamp()
    end.FromNanoseconds(max(p.create_time.ToNanoseconds() for p in made) + 1000)
    return end


@pytest.mark.parametrize("page_size", [1, 4, 14, 1000])
def test_the_pages_of_a_list_hold_everything_once_and_newest_first(
    door: Door, made: list[prediction_pb2.Prediction], page_size: int
) -> None:
    start = min((p.create_time for p in made), key=Timestamp.ToNanoseconds)
    pages = walk(
        door, ListPredictionsRequest(page_size=page_size, start_time=start, end_time=after(made))
    )
    assert [p for page in pages for p in page] == made[::-1]
    assert [len(page) for page in pages[:-1]] == [page_size] * (len(pages) - 1)


def test_a_page_larger_than_the_largest_is_the_largest(
    door: Door, made: list[prediction_pb2.Prediction]
) -> None:
    start = min((p.create_time for p in made), key=Timestamp.ToNanoseconds)
    request = ListPredictionsRequest(page_size=2**31 - 1, start_time=start, end_time=after(made))
    assert walk(door, request) == [made[::-1]]


def test_a_list_without_texts_goes_on_from_a_page_with_them(
    door: Door, made: list[prediction_pb2.Prediction]
) -> None:
    start = min((p.create_time for p in made), key=Timestamp.ToNanoseconds)
    conditions = {"start_time": start, "end_time": after(made)}
    first = door.call("ListPredictions", ListPredictionsRequest(**conditions, page_size=4)).message
    rest = ListPredictionsRequest(
        **conditions,
        page_size=1000,
        page_token=first.next_page_token,
        view=prediction_pb2.PREDICTION_VIEW_BASIC,
    )
    (page,) = walk(door, rest)
    without = [prediction_pb2.Prediction.FromString(p.SerializeToString()) for p in made[::-1]]
    for prediction in without:
        prediction.text = ""
    assert [*first.predictions, *page] == [*made[::-1][:4], *without[4:]]


@pytest.mark.parametrize("model", MODELS)
def test_conditions_are_joined_by_and(
    door: Door, made: list[prediction_pb2.Prediction], model: str
) -> None:
    succeeded = prediction_pb2.PREDICTION_STATE_SUCCEEDED
    start = made[3].create_time
    conditions: dict[str, Any] = {
        "model": model,
        "start_time": start,
        "end_time": after(made),
        "page_size": 100,
    }
    wanted = [
        p
        for p in made[::-1]
        if p.model == model and p.create_time.ToNanoseconds() >= start.ToNanoseconds()
    ]
    (page,) = walk(door, ListPredictionsRequest(**conditions, state=succeeded, version="1"))
    assert page == wanted
    failed = prediction_pb2.PREDICTION_STATE_FAILED
    assert walk(door, ListPredictionsRequest(**conditions, state=failed)) == [[]]
    assert walk(door, ListPredictionsRequest(**conditions, version="2")) == [[]]


def test_the_end_of_a_time_is_not_part_of_it(
    door: Door, made: list[prediction_pb2.Prediction]
) -> None:
    last = made[-1]
    (page,) = walk(
        door,
        ListPredictionsRequest(
            start_time=made[0].create_time, end_time=last.create_time, page_size=1000
        ),
    )
    assert last not in page
    assert made[0] in page
