"""Hands what the worker has to say to the bus."""

import logging
from collections.abc import Sequence

from predict.events.v1.events_pb2 import InferenceResponded

from bus.errors import BusUnavailable
from bus.events import to_entry, to_envelope
from bus.outages import Retry
from bus.sns import Topic
from contract.errors import Undeliverable
from model_runtime.responding import instead_of

log = logging.getLogger(__name__)


class Publication:
    """Publishes events of claims, each until the bus has it or has refused it for good."""

    def __init__(self, *, topic: Topic, retry: Retry) -> None:
        self._topic = topic
        self._retry = retry

    async def publish(self, events: Sequence[InferenceResponded]) -> set[str]:
        """Waits while the topic is away. Raises Stopping.

        Of an answer that the bus does not take, too large perhaps, the request gets an error.
        Answers the ids of the predictions that have one or the other; a request that has neither
        is tried again after its lease, as often as is allowed.
        """
        refused = await self._publish(events)
        errors = [instead_of(event, Undeliverable()) for event in refused]
        lost = await self._publish(errors)
        return {e.prediction_id for e in events} - {e.prediction_id for e in lost}

    async def _publish(self, events: Sequence[InferenceResponded]) -> list[InferenceResponded]:
        """Answers those that were refused for good."""
        waiting = {event.event_id: event for event in events}
        refused = []

        async def publish() -> None:
            outcome = await self._topic.publish(
                to_entry(to_envelope(event)) for event in waiting.values()
            )
            for event_id in outcome.published:
                waiting.pop(event_id, None)
            for event_id, code in outcome.rejected.items():
                event = waiting.pop(event_id)
                log.error("the bus does not take what became of %s: %s", event.prediction_id, code)
                refused.append(event)
            if waiting:
                raise outcome.failure or BusUnavailable("NotPublished")

        await self._retry(publish)
        return refused
