"""Which answers of models are acceptable at all, whatever the database says of them.

The queue is open to whoever may publish to the topic, so an answer is checked like any input.
"""

import math
import re

from google.rpc import status_pb2
from predict.events.v1.events_pb2 import InferenceResponded
from predict.v1.prediction_pb2 import PredictionOutput

from bus.events import is_uuid
from contract.limits import SCORES_TOLERANCE
from contract.reasons import DOMAIN
from contract.status import error_info
from features.places import version_folder

_URI_KEY = re.compile(r"[\w!.*'()/=-]+\.parquet#row=\d{1,9}", re.ASCII)


def find_problem(answer: InferenceResponded, *, features_bucket: str) -> str | None:
    """What is wrong with an answer, without any of its content; None if nothing is."""
    if not is_uuid(answer.prediction_id):
        return "its prediction_id is no UUID"
    if not is_uuid(answer.claim_token):
        return "its claim_token is no UUID"
    prefix = f"s3://{features_bucket}/{version_folder(answer.model, answer.version)}"
    uri = answer.features_uri
    if uri and not (uri.startswith(prefix) and _URI_KEY.fullmatch(uri.removeprefix(prefix))):
        return "its features_uri is not one of its version"
    if answer.HasField("output"):
        return None if _is_output(answer.output) else "its output is no output"
    if answer.HasField("error"):
        return None if _is_error(answer.error) else "its error is no error of the contract"
    return "it has neither output nor error"


def _is_output(output: PredictionOutput) -> bool:
    scores = output.scores
    return (
        output.label in scores
        and all(0 <= score <= 1 for score in scores.values())
        and math.isclose(sum(scores.values()), 1, abs_tol=SCORES_TOLERANCE)
        and math.isclose(scores[output.label], max(scores.values()), abs_tol=SCORES_TOLERANCE)
        and math.isclose(scores[output.label], output.confidence, abs_tol=SCORES_TOLERANCE)
        and 0 <= output.confidence <= 1
        and math.isfinite(output.value)
    )


def _is_error(error: status_pb2.Status) -> bool:
    return bool(error.code) and bool(error_info(error).domain == DOMAIN)
