"""What every refusal must be like."""

import re

from google.rpc import error_details_pb2
from predict.v1.error_reason_pb2 import ErrorReason

from contract.reasons import grpc_code, metadata_keys, retry_delay_s
from tests.parts.doors import Answer

UNKNOWN = "01900000-0000-7000-8000-000000000000"
"""An id that no prediction has."""
INTERNAL = re.compile(
    r"Traceback|\.py\b|File \"|site-packages|/tmp/|psycopg|Error\b|Exception|<class"
    r"|(?i:select\b.*\bfrom|insert\s+into)|arn:|s3://|triton|127\.0\.0\.1|localhost"
)
"""Words of our programs and of the machine: clients have no use for them, attackers do."""


def check(answer: Answer, code: int, reason: str, *fields: str) -> None:
    """The right code, reason and fields to blame, and nothing internal."""
    assert (answer.status.code, answer.info.reason) == (code, reason)
    assert answer.info.domain == "predict.v1"
    assert answer.fields == list(fields)
    assert answer.status.message
    assert not INTERNAL.search(answer.text), answer.text


def check_reason(answer: Answer, name: str, *, code: int | None = None) -> None:
    """All that the contract says of a reason. code: where it is not that of the reason."""
    reason = ErrorReason.Value(f"ERROR_REASON_{name}")
    assert (answer.info.reason, answer.info.domain) == (name, "predict.v1")
    assert answer.status.code == (code or grpc_code(reason).value[0])
    always, more = metadata_keys(reason)
    assert always <= answer.info.metadata.keys() <= always | more
    assert answer.fields == ([answer.info.metadata["field"]] if "field" in always else [])
    assert delay_s(answer) == retry_delay_s(reason)
    assert not INTERNAL.search(answer.text)


def delay_s(answer: Answer) -> float | None:
    """After which to try again."""
    info = error_details_pb2.RetryInfo()
    for detail in answer.status.details:
        if detail.Unpack(info):
            return info.retry_delay.ToMilliseconds() / 1000
    return None
