"""Which answers of models are acceptable at all, whatever the database says of them.

The queue is open to whoever may publish to the topic, so an answer is checked like any input.
"""

import math
import re
from uuid import UUID

from google.rpc import error_details_pb2, status_pb2
from predict.v1.events_pb2 import InferenceResponded
from predict.v1.prediction_pb2 import PredictionOutput

from gateway.errors import DOMAIN

TOLERANCE = 1e-3  # models give their scores as 32-bit floats, or rounded

_URI_KEY = re.compile(r"[\w!.*'()/=-]+\.parquet#row=\d{1,9}", re.ASCII)


def find_problem(answer: InferenceResponded, *, features_bucket: str) -> str | None:
    """What is wrong with an answer, without any of its content; None if nothing is."""
    if not is_uuid(answer.prediction_id):
        return "its prediction_id is no UUID"
    if answer.attempt < 1:
        return "its attempt is below 1"
    prefix = f"s3://{features_bucket}/"
    uri = answer.features_uri
    if uri and not (uri.startswith(prefix) and _URI_KEY.fullmatch(uri.removeprefix(prefix))):
        return "its features_uri is not in the features bucket"
    if answer.HasField("output"):
        return None if _is_output(answer.output) else "its output is no output"
    if answer.HasField("error"):
        return None if _is_error(answer.error) else "its error is no error of the contract"
    return "it has neither output nor error"


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in the canonical form."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _is_output(output: PredictionOutput) -> bool:
    scores = output.scores
    return (
        output.label in scores
        and all(0 <= score <= 1 for score in scores.values())
        and math.isclose(sum(scores.values()), 1, abs_tol=TOLERANCE)
        and math.isclose(scores[output.label], max(scores.values()), abs_tol=TOLERANCE)
        and math.isclose(scores[output.label], output.confidence, abs_tol=TOLERANCE)
        and 0 <= output.confidence <= 1
        and math.isfinite(output.value)
    )


def _is_error(error: status_pb2.Status) -> bool:
    info = error_details_pb2.ErrorInfo()
    return error.code != 0 and any(
        detail.Unpack(info) and info.domain == DOMAIN for detail in error.details
    )
