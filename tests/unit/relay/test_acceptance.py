"""Which answers of models are refused whatever the database says."""

from typing import Any
from uuid import uuid4

import pytest
from google.protobuf import json_format
from predict.events.v1.events_pb2 import InferenceResponded

from relay.acceptance import find_problem
from tests.parts.claims import answer, error_answer, invented_claim, to_body

CLAIM = invented_claim()
ID = CLAIM.prediction_id
ANSWER = to_body(answer(CLAIM))
ERROR = to_body(error_answer(CLAIM))


def problem(body: dict[str, Any], **changes: Any) -> str | None:
    message = json_format.ParseDict({**body, **changes}, InferenceResponded())
    return find_problem(message, features_bucket="predict-features")


def test_a_good_answer_has_no_problem() -> None:
    assert problem(ANSWER) is None


def test_a_good_error_has_no_problem() -> None:
    assert problem(ERROR) is None


def test_an_answer_without_features_or_value_has_no_problem() -> None:
    output = {name: value for name, value in ANSWER["output"].items() if name != "value"}
    assert problem(ANSWER, featuresUri="", output=output) is None


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
    output = {**ANSWER["output"], **changes}
    assert problem(ANSWER, output=output) == "its output is no output"


FOLDER = "s3://predict-features/features/sentiment/1"


@pytest.mark.parametrize(
    "uri",
    [
        f"{FOLDER}/batch.parquet",
        f"{FOLDER}/batch.parquet#row=-1",
        f"{FOLDER}/batch.parquet#row=3\nforged log line",
        f"{FOLDER}/a b.parquet#row=3",
        "s3://predict-features/features/sentiment/2/batch.parquet#row=3",
        "s3://predict-features/features/genre/1/batch.parquet#row=3",
        "s3://predict-features/batch.parquet#row=3",
        "s3://predict-features.evil/features/sentiment/1/batch.parquet#row=3",
        "s3://elsewhere/features/sentiment/1/batch.parquet#row=3",
        "https://predict-features/features/sentiment/1/batch.parquet#row=3",
        "file:///etc/passwd",
    ],
)
def test_features_that_are_not_of_the_version_are_a_problem(uri: str) -> None:
    assert problem(ANSWER, featuresUri=uri) == "its features_uri is not one of its version"


NO_UUIDS = ["", "1", "2", ID.upper(), ID.replace("-", ""), ID + "\n", f"{{{ID}}}"]


@pytest.mark.parametrize("prediction_id", NO_UUIDS)
def test_an_id_that_is_no_uuid_is_a_problem(prediction_id: str) -> None:
    assert problem(ANSWER, predictionId=prediction_id) == "its prediction_id is no UUID"


@pytest.mark.parametrize("token", NO_UUIDS)
@pytest.mark.parametrize("body", [ANSWER, ERROR])
def test_an_answer_without_a_token_is_a_problem(body: dict[str, Any], token: str) -> None:
    assert problem(body, claimToken=token) == "its claim_token is no UUID"


def test_the_attempt_of_former_versions_is_no_token() -> None:
    body = to_body(answer(CLAIM), claimToken=None)
    message = json_format.ParseDict(
        {**body, "attempt": 1}, InferenceResponded(), ignore_unknown_fields=True
    )
    assert find_problem(message, features_bucket="predict-features")


def test_any_token_may_be_the_right_one() -> None:
    assert problem(ANSWER, claimToken=str(uuid4())) is None  # the database knows


def test_neither_output_nor_error_is_a_problem() -> None:
    assert problem(to_body(answer(CLAIM), output=None)) == "it has neither output nor error"


@pytest.mark.parametrize("changes", [{"code": 0}, {"details": []}])
def test_an_error_outside_the_contract_is_a_problem(changes: dict[str, Any]) -> None:
    error = {**ERROR["error"], **changes}
    assert problem(ERROR, error=error) == "its error is no error of the contract"


def test_an_error_of_another_domain_is_a_problem() -> None:
    (detail,) = ERROR["error"]["details"]
    error = {**ERROR["error"], "details": [{**detail, "domain": "example.com"}]}
    assert problem(ERROR, error=error) == "its error is no error of the contract"
