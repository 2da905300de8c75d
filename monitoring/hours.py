"""What the record is looked at by: windows of time, and how much a version was asked in one."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Window:
    """From a time to another, which is not in it."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%dT%H:%MZ} to {self.end:%Y-%m-%dT%H:%MZ}"


def day_window(day: date) -> Window:
    """A day in UTC."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Window(begin, begin + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Start:
    """When a run began, by the database's clock."""

    begun: datetime
    hour: datetime
    """The one under way then."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many requests a version had, and how many are unfinished."""

    version: str
    rows: int
    unfinished: int
