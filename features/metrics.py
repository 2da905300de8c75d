"""What the shipper has done, and what waits in its spool, for Prometheus."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from features.spool_file import CLOSED, OPEN

SHIPPED_ROWS = Counter("pmesh_features_shipped_rows", "Rows that are in S3.", registry=None)
SHIPPED_OBJECTS = Counter("pmesh_features_shipped_objects", "Objects in S3.", registry=None)


class SpoolFigures(Collector):
    """What lies in a spool's folder, at most a few thousand files, as it is when somebody asks."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterator[Metric]:
        """The metrics as they now stand; none if the folder cannot be read."""
        sizes, times = [], []
        try:
            for path in self._directory.iterdir():
                if path.suffix not in (OPEN, CLOSED):
                    continue
                with suppress(FileNotFoundError):  # shipped meanwhile
                    found = path.stat()
                    sizes.append(found.st_size)
                    times.append(found.st_mtime)
        except OSError:
            return
        age_s = max(time.time() - min(times, default=time.time()), 0.0)
        yield GaugeMetricFamily("pmesh_spool_bytes", "Of all its files.", value=sum(sizes))
        yield GaugeMetricFamily("pmesh_spool_files", "How many files it has.", value=len(sizes))
        yield GaugeMetricFamily(
            "pmesh_spool_oldest_age_seconds",
            "Since the oldest of them was written to; 0: there is none.",
            value=age_s,
        )
