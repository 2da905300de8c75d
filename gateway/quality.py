"""Figures of quality as the gateway reads them; the monitoring job writes them."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class MetricKey(NamedTuple):
    """Which figure of a model: its place in a list."""

    hour: datetime
    version: str
    slice: str
    metric: str


@dataclass(frozen=True, slots=True)
class QualityMetric:
    """One figure of a version in an hour."""

    model: str
    version: str
    hour: datetime
    slice: str
    metric: str
    value: float
    low: float | None
    high: float | None
    rows: int
    reference: str
    compute_time: datetime

    @property
    def key(self) -> MetricKey:
        """Its place in a list."""
        return MetricKey(self.hour, self.version, self.slice, self.metric)


@dataclass(frozen=True, slots=True)
class MetricFilter:
    """Which figures a list is of; None and, where nothing else is said, "" mean any."""

    model: str
    version: str = ""
    slice: str | None = ""
    """The empty one is that of all predictions; None: any."""
    metric_prefix: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelReference:
    """What the hours of a model are compared with, or (version) those of a version."""

    model: str
    version: str
    name: str
    rows: int
    create_time: datetime
