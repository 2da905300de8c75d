"""What this relay has done, for Prometheus; what is waiting is in relay.figures.

The labels `model` are those of requests that were accepted, so of models that there are.
"""

from prometheus_client import Counter, Histogram

from bus.events import EVENTS

PUBLISHED = Counter(
    "pmesh_outbox_published", "Events that the bus has taken.", ("event",), registry=None
)
REJECTED = Counter(
    "pmesh_outbox_rejected", "Events that the bus will never take.", ("event",), registry=None
)
REARMED = Counter(
    "pmesh_requests_rearmed", "Requests to be published again.", ("model",), registry=None
)
FINISHED = Counter(
    "pmesh_requests_finished",
    "Predictions made later that came to an end here.",
    ("model", "state"),
    registry=None,
)
SECONDS = Histogram(
    "pmesh_request_seconds",
    "From when a prediction was to be made later to its end.",
    ("model",),
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400),
    registry=None,
)
ATTEMPTS = Histogram(
    "pmesh_request_attempts",
    "How often a request was claimed until its end.",
    ("model",),
    buckets=(0, 1, 2, 3, 5, 10),
    registry=None,
)
for _event in EVENTS:  # what has not happened yet has a beginning, too
    REJECTED.labels(_event)
    PUBLISHED.labels(_event)
RELAY_METRICS = (PUBLISHED, REJECTED, REARMED, FINISHED, SECONDS, ATTEMPTS)
"""For telemetry.telling."""


def begin(model: str) -> None:
    """What has not happened yet of a model has a beginning, too."""
    REARMED.labels(model)
    SECONDS.labels(model)
    for state in ("SUCCEEDED", "FAILED", "EXPIRED"):
        FINISHED.labels(model, state)
