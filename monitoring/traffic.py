"""What came to a version and what became of it: volume, errors, latency, answers."""

from collections.abc import Iterator

from monitoring.counts import Counts
from monitoring.figures import Figure
from monitoring.intervals import wilson

PERCENTILES = (50, 95, 99)
UNFINISHED = ("ACCEPTED", "RUNNING")
FAILED = "FAILED"


def figures(counts: Counts) -> Iterator[Figure]:
    """All that needs neither labels nor a reference."""
    yield Figure("volume", counts.rows, counts.rows)
    ended = {k: n for k, n in counts.endings.items() if k[0] not in UNFINISHED}
    if unfinished := counts.rows - sum(ended.values()):
        yield Figure("unfinished", unfinished, counts.rows)
    yield from _failures(ended)
    for percentile, seconds in zip(PERCENTILES, counts.seconds, strict=False):
        yield Figure(f"latency_s:p{percentile}", seconds, counts.finished)
    answers = sum(counts.labels.values())
    for label, rows in sorted(counts.labels.items()):
        yield _share(f"label_share:{label}", rows, answers)
    if counts.no_confidence:
        yield _share("no_confidence_share", counts.no_confidence, answers)


def confidences(counts: Counts) -> Iterator[Figure]:
    """The share of answers in each bin of confidence that has any."""
    answers = sum(counts.confidences.values())
    for bin_, rows in sorted(counts.confidences.items()):
        yield _share(f"confidence_share:0.{bin_}", rows, answers)


def _failures(ended: dict[tuple[str, str], int]) -> Iterator[Figure]:
    """The share of what ended without an answer, and of each way and reason."""
    if not (total := sum(ended.values())):
        return
    failed = {key: rows for key, rows in ended.items() if key[0] != "SUCCEEDED"}
    yield _share("failure_share", sum(failed.values()), total)
    for (state, reason), rows in sorted(failed.items()):
        yield _share(f"failure_share:{reason or state}", rows, total)


def _share(metric: str, rows: int, of: int) -> Figure:
    return Figure(metric, rows / of, of, wilson(rows / of, of))
