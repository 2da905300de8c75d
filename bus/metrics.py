"""What is measured of SNS and SQS, by the names of OpenTelemetry.

Source: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/
"""

from prometheus_client import Counter, Histogram

SNS = "aws.sns"
SQS = "aws_sqs"
"""Their names as messaging.system."""

_LABELS = ("messaging_system", "messaging_operation_name", "messaging_destination_name")
_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

OPERATIONS = Histogram(
    "messaging_client_operation_duration_seconds",
    "How long calls of SNS and SQS took; a call that receives waits for messages.",
    _LABELS,
    buckets=_BOUNDS_S,
    registry=None,
)
SENT = Counter(
    "messaging_client_sent_messages", "Messages that SNS has taken.", _LABELS, registry=None
)
CONSUMED = Counter(
    "messaging_client_consumed_messages",
    "Messages that were received, each as often as it came.",
    _LABELS,
    registry=None,
)
PROCESSED = Histogram(
    "messaging_process_duration_seconds",
    "From when a message was received until it was done with, or others may have it.",
    ("messaging_destination_name",),
    buckets=(*_BOUNDS_S, 30, 60),
    registry=None,
)
BUS_METRICS = (OPERATIONS, SENT, CONSUMED, PROCESSED)
"""For telemetry.telling."""
