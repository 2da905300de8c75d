"""A subscriber to job_completed: what it learns of the ends of predictions."""

from collections import defaultdict
from collections.abc import Mapping

from tests.parts.bus_probe import Bus
from tests.parts.polling import wait_until


class Completions:
    """A queue of its own on the topic."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._queue = bus.watch("job_completed")
        self._told: dict[str, set[tuple[str, str]]] = defaultdict(set)
        """By prediction: the ids of the events that name it, with the state that each tells."""

    def close(self) -> None:
        """Unsubscribe."""
        self._bus.unwatch(self._queue)

    def check(self, ends: Mapping[str, str]) -> None:
        """Each prediction is told of by one event, however often that comes, with this state."""
        wait_until(lambda: self._read() >= ends.keys())
        for prediction_id, end in ends.items():
            ((_, told),) = self._told[prediction_id]
            assert told == f"PREDICTION_STATE_{end}"

    def _read(self) -> set[str]:
        for event in self._bus.drain(self._queue):
            for done in event["predictions"]:
                self._told[done["predictionId"]].add((event["eventId"], done["state"]))
        return set(self._told)
