"""What this worker has done, for Prometheus."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram

from telemetry.spans import current, exemplar_of
from telemetry.trace_context import TraceContext

REQUESTS = Counter(
    "pmesh_worker_requests",
    "Requests that were claimed, by what became of them; version: none of those that serve.",
    ("model", "version", "outcome"),
    registry=None,
)
BATCH_SIZE = Histogram(
    "pmesh_worker_batch_size",
    "Requests that were answered together.",
    ("model", "version"),
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
    registry=None,
)
STAGES = Histogram(
    "pmesh_worker_stage_seconds",
    "How long the stages of a batch took: claim, infer, features, publish.",
    ("model", "stage"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=None,
)
CLAIMS_LOST = Counter(
    "pmesh_worker_claims_lost",
    "Claims that were no longer ours when they were renewed.",
    ("model",),
    registry=None,
)
REDELIVERED = Counter(
    "pmesh_worker_redelivered", "Messages that had come before.", ("model",), registry=None
)
WORKER_METRICS = (REQUESTS, BATCH_SIZE, STAGES, CLAIMS_LOST, REDELIVERED)
"""For telemetry.telling."""


def begin(model: str) -> None:
    """What has not happened yet has a beginning, too."""
    CLAIMS_LOST.labels(model)
    REDELIVERED.labels(model)


@contextmanager
def timed(model: str, stage: str, context: TraceContext | None = None) -> Iterator[None]:
    """Times a stage in the block, whatever its end. context: the present span if None."""
    start_s = time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - start_s
        STAGES.labels(model, stage).observe(seconds, exemplar_of(context or current()))
