"""Evidently's reports of each day, kept up to date beside the figures.

A day is due where one of its hours was made after its reports: so that of the day under way comes
with each run, and one whose labels come late is written again. What there is no time for is due
still. When the hours were made, the time of the day's folder says.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from pathlib import Path

from monitoring import report_files
from monitoring.hours import day_window
from monitoring.report import NothingToTell, write_reports
from monitoring.store import QualityStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Daily:
    """What is made of days, and where it is kept."""

    python: Path
    """Of Evidently's environment; nothing is written before it is there."""
    folder: Path
    days: int
    """Kept of each model, the one under way included."""

    def write(self, store: QualityStore, stop: Callable[[], bool]) -> None:
        """Write what is due, the newest days first; take away what is older than is kept.

        stop: asked often; what is left then is due still. Raises ReportFailed where Evidently does
        not do its work, OSError, psycopg.Error.
        """
        if not self.python.exists():
            return
        today = store.begin().hour.astimezone(UTC).date()
        first = today - timedelta(days=self.days - 1)
        report_files.remove_before(self.folder, first)
        for model in store.models():
            for day, made in store.days(model, first):
                place = self.folder / model / f"{day}"
                moment_ns = round(made.timestamp() * 1e6) * 1000
                if stop():
                    return
                if not place.exists() or place.stat().st_mtime_ns < moment_ns:
                    self._write_day(store, model, day, stop)
                    place.mkdir(parents=True, exist_ok=True)
                    os.utime(place, ns=(moment_ns, moment_ns))

    def _write_day(
        self, store: QualityStore, model: str, day: date, stop: Callable[[], bool]
    ) -> None:
        for size in store.sizes(model, day_window(day)):
            try:
                write_reports(
                    store,
                    model,
                    size.version,
                    day,
                    python=self.python,
                    folder=self.folder,
                    stop=stop,
                )
            except NothingToTell as error:
                log.debug("no report: %s", error)
