"""The same request gives the same prediction, whichever door it comes through."""

import struct

import pytest
from google.protobuf import json_format
from predict.v1 import prediction_pb2
from predict.v1.model_service_pb2 import GetModelRequest, ListModelsRequest
from predict.v1.prediction_service_pb2 import (
    BatchPredictRequest,
    GetPredictionRequest,
    PredictRequest,
    PredictResponse,
)

from tests.e2e.mesh import MODELS, Mesh
from tests.e2e.oracle import Oracle, agree
from tests.e2e.texts import new_text, new_texts
from tests.parts.doors import Door


def content(prediction: prediction_pb2.Prediction) -> dict[str, object]:
    """All of a prediction but what makes it another one."""
    fields = json_format.MessageToDict(prediction)
    for name in ("id", "createTime", "completeTime", "featuresUri"):
        assert fields.pop(name)
    return fields


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "text",
    [new_text(), "x", "Ünïcode 🙂 \u202e\t\r\n\x01\x7f 'quoted' \\u0041 \"", "long " * 13_000],
)
def test_rest_and_grpc_give_the_same_prediction(mesh: Mesh, model: str, text: str) -> None:
    request = PredictRequest(model=model, text=text)
    by_grpc = mesh.grpc.call("Predict", request).message.prediction
    by_rest = mesh.rest.call("Predict", request).message.prediction
    assert by_grpc.id != by_rest.id
    assert content(by_grpc) == content(by_rest)
    assert by_grpc.text == text
    assert by_grpc.version == "1"
    assert by_grpc.state == prediction_pb2.PREDICTION_STATE_SUCCEEDED


def test_the_answer_is_the_one_of_the_model(door: Door, oracle: Oracle) -> None:
    for model in MODELS:
        text = new_text()
        output = door.call(
            "Predict", PredictRequest(model=model, text=text)
        ).message.prediction.output
        (right,) = oracle.scores(model, [text])
        assert agree(output.scores, right)
        assert output.label == max(right, key=lambda label: right[label])
        assert output.confidence == output.scores[output.label]
        assert output.HasField("value") == (model == "sentiment")


def test_a_batch_gives_the_answers_of_its_texts_in_their_order(door: Door, oracle: Oracle) -> None:
    texts = new_texts(256)
    request = BatchPredictRequest(model="genre", entries=[{"text": text} for text in texts])
    results = door.call("BatchPredict", request).message.results
    assert [result.prediction.text for result in results] == texts
    for result, right in zip(results, oracle.scores("genre", texts), strict=True):
        assert agree(result.prediction.output.scores, right)


def test_a_bad_text_of_a_batch_fails_alone(door: Door) -> None:
    request = BatchPredictRequest(
        model="sentiment", entries=[{"text": new_text()}, {"text": " "}, {"text": new_text()}]
    )
    results = door.call("BatchPredict", request).message.results
    assert [result.WhichOneof("result") for result in results] == [
        "prediction",
        "error",
        "prediction",
    ]


def test_a_prediction_made_by_one_door_is_read_by_the_other(mesh: Mesh) -> None:
    request = PredictRequest(model="sentiment", text=new_text())
    for made, read in ((mesh.grpc, mesh.rest), (mesh.rest, mesh.grpc)):
        prediction = made.call("Predict", request).message.prediction
        again = read.call("GetPrediction", GetPredictionRequest(id=prediction.id)).message
        assert again.prediction == prediction


def test_grpc_web_gives_the_same_prediction(mesh: Mesh) -> None:
    request = PredictRequest(model="sentiment", text=new_text())
    payload = request.SerializeToString()
    framed = struct.pack(">BI", 0, len(payload)) + payload
    response = mesh.rest.client.post(
        "/predict.v1.PredictionService/Predict",
        content=framed,
        headers={"content-type": "application/grpc-web+proto"},
    )
    body = response.content
    (size,) = struct.unpack(">I", body[1:5])
    by_web = PredictResponse.FromString(body[5 : 5 + size]).prediction
    assert content(by_web) == content(mesh.grpc.call("Predict", request).message.prediction)
    assert b"grpc-status:0" in body[5 + size :]


def test_the_models_are_the_same_through_both_doors(mesh: Mesh) -> None:
    listed = mesh.grpc.call("ListModels", ListModelsRequest()).message
    assert listed == mesh.rest.call("ListModels", ListModelsRequest()).message
    assert [model.id for model in listed.models] == sorted(MODELS)
    for model in listed.models:
        request = GetModelRequest(model=model.id)
        assert mesh.grpc.call("GetModel", request).message.model == model
        assert mesh.rest.call("GetModel", request).message.model == model
        assert [(share.version, share.percent) for share in model.traffic] == [("1", 100)]


def test_the_model_that_is_named_is_the_one_that_answers(door: Door, oracle: Oracle) -> None:
    text = new_text()
    for model in MODELS:
        output = door.call(
            "Predict", PredictRequest(model=model, text=text)
        ).message.prediction.output
        assert sorted(output.scores) == sorted(oracle.labels[model])
    assert not set(oracle.labels["sentiment"]) & set(oracle.labels["genre"])
