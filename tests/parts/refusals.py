"""What every refusal must be like."""

import re

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
