"""Evidently's reports of a version's day, from a bounded sample, by a process of their own.

Evidently sees which label, bin of confidence and bin of length each prediction has, and the label
that counts; texts it does not see, so that none is in a report. Its columns and its distance are
those of drift.py, and rows count without weights, as Evidently knows none.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from monitoring.counts import Histogram
from monitoring.drift import Profile
from monitoring.hours import day_window
from monitoring.store import QualityStore, Sampled

SAMPLE = 5_000
"""Rows of a day; which ones, the random part of their ids says, so that they are the same again."""
TIMEOUT_S = 600.0
LOOK_S = 1.0
"""Between looks at whether it is to be stopped."""
_PROGRAM = Path(__file__).with_name("evidently_program.py")


class ReportFailed(Exception):
    """Evidently has made no report; the message says why."""


class NothingToTell(ReportFailed):
    """There is nothing that it could be made from."""


@dataclass(frozen=True, slots=True)
class Report:
    """A file that opens in a browser, and Evidently's numbers in it."""

    file: Path
    numbers: Mapping[str, float]


def write_reports(
    store: QualityStore,
    model: str,
    version: str,
    day: date,
    *,
    python: Path,
    folder: Path,
    stop: Callable[[], bool] = lambda: False,
) -> list[Report]:
    """Write what can be told of a day (UTC): drift, with a reference; quality, with labels.

    python: of Evidently's environment. folder: where the reports of models lie; one of before stays
    until the new one is whole. stop: asked often while Evidently works. Raises NothingToTell,
    ReportFailed if Evidently fails or is stopped, OSError, psycopg.Error.
    """
    rows = store.sample(model, version, day_window(day), SAMPLE)
    references = store.references(model)
    reference = references.get("") or references.get(version)
    profile = reference.profiles.get("") if reference else None
    labelled = [row for row in rows if row.truth is not None]
    if not rows or not (profile or labelled):
        raise NothingToTell(
            f"{model}@{version} has no answers of {day}, or neither labels of them nor a reference"
        )
    given = {
        "current": _columns(rows),
        "reference": _expanded(profile) if profile else None,
        "labelled": {
            "label": [row.label for row in labelled],
            "truth": [row.truth for row in labelled],
        }
        if labelled
        else None,
    }
    place = folder / model / f"{day}" / version
    place.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".", dir=place) as scratch:
        numbers = _run(python, {"folder": scratch, **given}, stop)
        for name in numbers:
            (Path(scratch) / name).replace(place / name)
    return [Report(place / name, found) for name, found in numbers.items()]


def _columns(rows: Sequence[Sampled]) -> dict[str, list[str]]:
    return {
        "label": [row.label for row in rows],
        "confidence": [row.confidence for row in rows],
        "length": [row.length for row in rows],
    }


def _expanded(profile: Profile) -> dict[str, list[str]]:
    """A row for each that was counted, column by column: of a reference, no more is kept."""
    columns = {
        "label": profile.labels,
        "confidence": profile.confidences,
        "length": profile.lengths,
    }
    size = min(SAMPLE, *(sum(histogram.values()) for histogram in columns.values()))
    return {name: list(_values(histogram, size)) for name, histogram in columns.items()}


def _values(histogram: Histogram, size: int) -> Iterable[str]:
    """So many values, of each bin its share."""
    total, seen, given = sum(histogram.values()), 0, 0
    for key, rows in sorted(histogram.items()):
        seen += rows
        until = round(size * seen / total)
        yield from [key] * (until - given)
        given = until


def _run(
    python: Path, given: Mapping[str, Any], stop: Callable[[], bool]
) -> dict[str, dict[str, float]]:
    with subprocess.Popen(
        [str(python), "-P", str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent", "DO_NOT_TRACK": "1"},
        text=True,
    ) as process:
        said, errors = _wait(process, json.dumps(given), stop)
    if process.returncode:
        last = errors.strip().rpartition("\n")[2]
        raise ReportFailed(f"Evidently failed: {last.partition(':')[0]}")  # the rest may quote
    numbers: dict[str, dict[str, float]] = json.loads(said)
    return numbers


def _wait(
    process: "subprocess.Popen[str]", given: str, stop: Callable[[], bool]
) -> tuple[str, str]:
    """What it has written to stdout and stderr at its end. Raises ReportFailed, and ends it."""
    until = time.monotonic() + TIMEOUT_S
    unsaid: str | None = given
    while True:
        try:
            return process.communicate(unsaid, timeout=LOOK_S)
        except subprocess.TimeoutExpired:
            unsaid = None  # what it has not read yet it still gets
        if stop() or time.monotonic() > until:
            process.kill()
            raise ReportFailed("Evidently was ended before it was done")
