"""What a program has read somewhere else, told until it reads it again."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector


class Snapshot(Collector):
    """Of one moment. To read it costs the program's time, not that of who asks."""

    def __init__(self) -> None:
        self._metrics: tuple[Metric, ...] = ()

    def take(self, metrics: Iterable[Metric]) -> None:
        """From now on, these are told."""
        self._metrics = tuple(metrics)

    def forget(self) -> None:
        """Nothing is known: where it is read is away."""
        self._metrics = ()

    def collect(self) -> Iterator[Metric]:
        """What was taken last."""
        yield from self._metrics
