"""All that the gateway counts while it works."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.registry import Collector

from gateway.metrics.calls import Calls
from gateway.metrics.stages import Commits, StagesByVersion
from gateway.metrics.texts import Limited, TextOutcomes, Unrecorded


class GatewayFigures:
    """One of each; each part of the gateway is given what it counts."""

    def __init__(
        self, served: Callable[[], Iterable[tuple[str, str]]], *, counting: bool = True
    ) -> None:
        """served: models and versions that have traffic. counting: False where nobody will ask, so
        that nothing is spent on it.
        """
        self.calls = Calls() if counting else None
        self.outcomes = TextOutcomes(served, counting=counting)
        self.unrecorded = Unrecorded()
        self.limited = Limited()
        self.stages = StagesByVersion(counting=counting)
        self.commits = Commits(counting=counting)

    def collectors(self) -> Iterator[Collector]:
        """What tells Prometheus."""
        if self.calls is not None:
            yield self.calls
        yield from (self.outcomes, self.unrecorded, self.limited, self.stages, self.commits)
