"""Where reports lie: MODEL/DAY/VERSION/drift.html and quality.html, in a folder of their own."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

NAMES = ("drift.html", "quality.html")
_DAY = re.compile(r"([a-z][a-z0-9-]{0,62})/([0-9]{4}-[0-9]{2}-[0-9]{2})")
_PATH = re.compile(_DAY.pattern + r"/([1-9][0-9]{0,17})/(drift|quality)\.html")


@dataclass(frozen=True, slots=True)
class ReportFile:
    """One report, by what its path says."""

    model: str
    day: date
    version: str
    name: str

    @property
    def path(self) -> str:
        """Below the folder."""
        return f"{self.model}/{self.day}/{self.version}/{self.name}"


def parse(path: str) -> ReportFile | None:
    """The report of a path below the folder; None for any other path."""
    if not (found := _PATH.fullmatch(path)):
        return None
    model, day, version, kind = found.groups()
    try:
        return ReportFile(model, date.fromisoformat(day), version, f"{kind}.html")
    except ValueError:  # no day of the calendar
        return None


def kept(folder: Path) -> list[ReportFile]:
    """All reports in a folder, the newest day first."""
    paths = (str(path.relative_to(folder)) for path in folder.glob("*/*/*/*.html"))
    found = [report for path in paths if (report := parse(path))]
    return sorted(found, key=lambda report: (-report.day.toordinal(), report.path))


def remove_before(folder: Path, first: date) -> None:
    """Take away the reports of earlier days, and their folders; what else lies there stays.

    Raises OSError.
    """
    for place in folder.glob("*/*"):
        day = _day_of(str(place.relative_to(folder)))
        if day is None or day >= first:
            continue
        for below, _, files in os.walk(place, topdown=False):
            for name in set(files).intersection(NAMES):
                Path(below, name).unlink()
            with suppress(OSError):  # it is not empty
                Path(below).rmdir()


def _day_of(path: str) -> date | None:
    """Of the folder of a model's day; None for any other path below the folder."""
    found = _DAY.fullmatch(path)
    try:
        return date.fromisoformat(found.group(2)) if found else None
    except ValueError:  # no day of the calendar
        return None
