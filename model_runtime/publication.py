"""Hands what the worker has to say to the bus."""

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from predict.events.v1.events_pb2 import InferenceResponded

from bus.errors import BusUnavailable
from bus.events import to_envelope
from bus.outages import Retry
from bus.sending import send
from bus.sns import Topic
from contract.errors import Undeliverable
from contract.logs import about
from contract.status import error_info
from model_runtime.responding import instead_of
from telemetry.trace_context import TraceContext

log = logging.getLogger(__name__)


class Publication:
    """Publishes events of claims, each until the bus has it or has refused it for good."""

    def __init__(self, *, topic: Topic, retry: Retry) -> None:
        self._topic = topic
        self._retry = retry

    async def publish(
        self,
        events: Sequence[InferenceResponded],
        contexts: Mapping[str, TraceContext | None] = MappingProxyType({}),
    ) -> dict[str, str]:
        """Waits while the topic is away. Raises Stopping.

        contexts: by prediction id, what each is part of. Of an answer that the bus does not take,
        too large perhaps, the request gets an error. Answers by prediction id what those were told
        that have one or the other: "succeeded", or the reason of the error; a request that has
        neither is tried again after its lease, as often as is allowed.
        """
        refused = await self._publish(events, contexts)
        errors = [instead_of(event, Undeliverable()) for event in refused]
        lost = await self._publish(errors, contexts)
        told = {event.prediction_id: _outcome(event) for event in (*events, *errors)}
        return {id: told[id] for id in told if id not in {e.prediction_id for e in lost}}

    async def _publish(
        self,
        events: Sequence[InferenceResponded],
        contexts: Mapping[str, TraceContext | None],
    ) -> list[InferenceResponded]:
        """Answers those that were refused for good."""
        waiting = {event.event_id: event for event in events}
        refused = []

        async def publish() -> None:
            envelopes = [
                to_envelope(event, traceparent=_traceparent(contexts.get(event.prediction_id)))
                for event in waiting.values()
            ]
            outcome = await send(self._topic, envelopes)
            for event_id in outcome.published:
                waiting.pop(event_id, None)
            for event_id, code in outcome.rejected.items():
                event = waiting.pop(event_id)
                context = contexts.get(event.prediction_id)
                with about(
                    prediction_id=event.prediction_id,
                    version=event.version,
                    trace_id=context.trace_id if context else "",
                ):
                    log.error(
                        "the bus does not take what became of %s: %s", event.prediction_id, code
                    )
                refused.append(event)
            if waiting:
                raise outcome.failure or BusUnavailable("NotPublished", dependency="topic")

        await self._retry(publish)
        return refused


def _outcome(event: InferenceResponded) -> str:
    return "succeeded" if event.HasField("output") else str(error_info(event.error).reason)


def _traceparent(context: TraceContext | None) -> str | None:
    return context.traceparent if context else None
