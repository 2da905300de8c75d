"""How much of a prediction is answered."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from predict.v1 import prediction_pb2
from predict.v1 import prediction_service_pb2 as pb

from tests.e2e.mesh import Mesh
from tests.e2e.texts import new_text, new_texts
from tests.parts.doors import Door

BASIC, FULL = prediction_pb2.PREDICTION_VIEW_BASIC, prediction_pb2.PREDICTION_VIEW_FULL
UNSPECIFIED = prediction_pb2.PREDICTION_VIEW_UNSPECIFIED
READS: dict[str, Callable[..., Any]] = {
    "GetPrediction": pb.GetPredictionRequest,
    "WaitPrediction": pb.WaitPredictionRequest,
}


@pytest.mark.parametrize("rpc", READS)
def test_a_prediction_is_read_with_its_text_or_without(door: Door, rpc: str) -> None:
    text = new_text()
    made = door.call("Predict", pb.PredictRequest(model="sentiment", text=text)).message.prediction
    for view, shown in ((UNSPECIFIED, text), (FULL, text), (BASIC, "")):
        answer = door.call(rpc, READS[rpc](id=made.id, view=view)).message.prediction
        assert answer.text == shown
        answer.text = text
        assert answer == made


def test_a_watch_is_with_the_text_or_without(mesh: Mesh) -> None:
    text = new_text()
    made = mesh.predictions.Predict(pb.PredictRequest(model="sentiment", text=text)).prediction
    for view, shown in ((FULL, text), (BASIC, "")):
        (state,) = mesh.predictions.WatchPrediction(
            pb.WatchPredictionRequest(id=made.id, view=view), timeout=10
        )
        assert state.prediction.text == shown
        by_rest = mesh.rest.client.get(
            f"/v1/predictions/{made.id}:watch",
            params={"view": prediction_pb2.PredictionView.Name(view)},
        )
        assert made.id in by_rest.text
        assert (text in by_rest.text) is bool(shown)


def test_an_answer_comes_with_its_text_or_without(door: Door, mesh: Mesh) -> None:
    for view, shows in ((UNSPECIFIED, True), (FULL, True), (BASIC, False)):
        text, *texts = new_texts(4)
        one = door.call("Predict", pb.PredictRequest(model="sentiment", text=text, view=view))
        batch = pb.BatchPredictRequest(
            model="sentiment", entries=[{"text": text} for text in texts], view=view
        )
        results = door.call("BatchPredict", batch).message.results
        made = [one.message.prediction, *(result.prediction for result in results)]
        assert [p.text for p in made] == ([text, *texts] if shows else [""] * 4)
        ids = [prediction.id for prediction in made]
        stored = mesh.query("SELECT text FROM requests WHERE id = ANY (%s)", (ids,))
        assert {text for (text,) in stored} == {text, *texts}


def test_each_answer_of_a_stream_has_the_view_that_was_asked_for(mesh: Mesh) -> None:
    texts = new_texts(2)
    requests = [
        pb.StreamPredictRequest(request={"model": "sentiment", "text": text, "view": view})
        for text, view in zip(texts, (BASIC, FULL), strict=True)
    ]
    answers = list(mesh.predictions.StreamPredict(iter(requests), timeout=30))
    assert [answer.prediction.text for answer in answers] == ["", texts[1]]


def test_a_request_id_finds_its_prediction_in_any_view(door: Door) -> None:
    request = pb.PredictRequest(
        model="sentiment",
        text=new_text(),
        request_id=str(uuid4()).upper(),
        view=BASIC,
    )
    first = door.call("Predict", request).message.prediction
    request.view = FULL
    again = door.call("Predict", request).message.prediction
    assert (first.id, first.text, again.text) == (again.id, "", request.text)
