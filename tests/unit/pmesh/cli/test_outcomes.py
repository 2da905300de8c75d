import json

from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from predict.v1.prediction_pb2 import Prediction, PredictionOutput, PredictionState

from pmesh.cli.outcomes import as_json, as_line, has_failed

ACCEPTED = Prediction(id="i", state=PredictionState.PREDICTION_STATE_ACCEPTED)
SUCCEEDED = Prediction(
    id="i",
    model="sentiment",
    state=PredictionState.PREDICTION_STATE_SUCCEEDED,
    output=PredictionOutput(label="positive", confidence=0.914, value=0.5),
)


def refused() -> Status:
    detail = Any()
    detail.Pack(ErrorInfo(reason="TEXT_EMPTY"))
    return Status(code=3, message="the text is empty", details=[detail])


def test_an_answer_is_shown_with_its_label_and_confidence() -> None:
    line = as_line("so good", SUCCEEDED).plain
    assert line.split() == ["positive", "0.91", "+0.50", "so", "good"]


def test_an_accepted_prediction_is_shown_with_its_id() -> None:
    assert as_line("so good", ACCEPTED).plain == "ACCEPTED  i  so good"


def test_a_refusal_is_shown_with_its_reason() -> None:
    assert as_line("", refused()).plain == "TEXT_EMPTY: the text is empty  "


def test_a_long_text_is_shown_by_its_start_on_one_line() -> None:
    line = as_line("first\nsecond " + "x" * 100, SUCCEEDED).plain
    assert "first second x" in line
    assert line.endswith("x…")


def test_json_is_a_prediction_as_rest_names_its_fields() -> None:
    fields = json.loads(as_json("so good", SUCCEEDED))
    assert fields["state"] == "PREDICTION_STATE_SUCCEEDED"
    assert fields["output"]["label"] == "positive"


def test_json_of_a_refusal_names_the_text() -> None:
    fields = json.loads(as_json("so good", refused()))
    assert fields["text"] == "so good"
    assert fields["error"]["details"][0]["reason"] == "TEXT_EMPTY"


def test_only_what_has_no_answer_to_come_has_failed() -> None:
    expired = Prediction(state=PredictionState.PREDICTION_STATE_EXPIRED)
    assert [has_failed(o) for o in (SUCCEEDED, ACCEPTED, expired, refused())] == [
        *(False, False, True, True)
    ]
