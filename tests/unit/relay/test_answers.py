"""Which answers of models are refused whatever the database says."""

from typing import Any

import pytest
from google.protobuf import json_format
from predict.v1.events_pb2 import InferenceResponded

from gateway.relay.answers import find_problem
from tests.integration.relay.requests import answer, error_answer

ID = "0199f2d0-0000-7000-8000-000000000002"


def problem(body: dict[str, Any]) -> str | None:
    message = json_format.ParseDict(body, InferenceResponded())
    return find_problem(message, features_bucket="predict-features")


def output(**changes: Any) -> dict[str, Any]:
    return {**answer(ID)["output"], **changes}


def test_a_good_answer_has_no_problem() -> None:
    assert problem(answer(ID)) is None


def test_a_good_error_has_no_problem() -> None:
    assert problem(error_answer(ID)) is None


def test_an_answer_without_features_or_value_has_no_problem() -> None:
    body = answer(ID, featuresUri="")
    del body["output"]["value"]
    assert problem(body) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"scores": {"negative": "NaN", "neutral": 0.3, "positive": 0.7}},
        {"scores": {"negative": "Infinity", "neutral": 0.3, "positive": 0.7}},
        {"scores": {"negative": -0.1, "neutral": 0.4, "positive": 0.7}},
        {"scores": {"negative": 0.1, "neutral": 0.1, "positive": 0.7}},  # do not add up
        {"scores": {}},
        {"label": ""},
        {"label": "angry"},
        {"label": "neutral", "confidence": 0.2},  # not the highest
        {"confidence": "NaN"},
        {"confidence": 0.9},  # not the label's
        {"value": "NaN"},
        {"value": "-Infinity"},
    ],
)
def test_an_output_that_no_model_gives_is_a_problem(changes: dict[str, Any]) -> None:
    assert problem(answer(ID, output=output(**changes))) == "its output is no output"


@pytest.mark.parametrize(
    "uri",
    [
        "s3://elsewhere/sentiment/1/batch.parquet#row=3",
        "s3://predict-features.evil/batch.parquet#row=3",
        "s3://predict-features/batch.parquet",
        "s3://predict-features/batch.parquet#row=-1",
        "s3://predict-features/batch.parquet#row=3\nforged log line",
        "s3://predict-features/a b.parquet#row=3",
        "https://predict-features/batch.parquet#row=3",
        "file:///etc/passwd",
    ],
)
def test_features_outside_the_bucket_are_a_problem(uri: str) -> None:
    assert problem(answer(ID, featuresUri=uri)) == "its features_uri is not in the features bucket"


@pytest.mark.parametrize("prediction_id", ["", "1", ID.upper().replace("-", ""), ID + "\n"])
def test_an_id_that_is_no_uuid_is_a_problem(prediction_id: str) -> None:
    assert problem(answer(prediction_id)) == "its prediction_id is no UUID"


@pytest.mark.parametrize("attempt", [0, -1])
def test_an_attempt_below_1_is_a_problem(attempt: int) -> None:
    assert problem(answer(ID, attempt)) == "its attempt is below 1"


def test_neither_output_nor_error_is_a_problem() -> None:
    body = answer(ID)
    del body["output"]
    assert problem(body) == "it has neither output nor error"


@pytest.mark.parametrize("changes", [{"code": 0}, {"details": []}])
def test_an_error_outside_the_contract_is_a_problem(changes: dict[str, Any]) -> None:
    body = error_answer(ID)
    body["error"].update(changes)
    assert problem(body) == "its error is no error of the contract"
