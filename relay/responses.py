"""The models' answers: from the gateway's queue to PostgreSQL, many in one transaction."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf import json_format
from predict.events.v1.events_pb2 import InferenceResponded
from psycopg_pool import AsyncConnectionPool

from bus.deliveries import Delivery
from bus.errors import UndecodableMessage
from bus.events import from_message
from bus.sqs import MAX_BATCH, Queue
from contract.logs import about
from relay.acceptance import find_problem
from relay.completions import Ending, count, finish
from telemetry.spans import Kind, span_of_several

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef as Message

_Answer = tuple[Delivery, InferenceResponded]

log = logging.getLogger(__name__)

MORE_RECEIVES = 4  # side by side, when a first one was full
HELD_S = 2
"""Seconds until an answer to a request that others hold comes again."""


class Received(NamedTuple):
    """Messages that were read, and the acceptable answers among them."""

    deliveries: Sequence[Delivery]
    answers: Sequence[_Answer]

    def end(self) -> None:
        """End the deliveries."""
        for delivery in self.deliveries:
            delivery.end()


class Responses:
    """Finishes requests with the answers of their models. Run `step` again and again."""

    def __init__(
        self,
        *,
        pool: AsyncConnectionPool,
        queue: Queue,
        features_bucket: str,
        receive_wait_s: int,
        on_finished: Callable[[], None],
    ) -> None:
        """on_finished: called after a commit that finished requests, so that others may start."""
        self._pool = pool
        self._queue = queue
        self._features_bucket = features_bucket
        self._receive_wait_s = receive_wait_s
        self._on_finished = on_finished
        self._received: Received | None = None

    async def step(self) -> None:
        """Take some answers, waiting for the first."""
        # What could not be committed is kept: receiving it anew would take it nearer to the
        # dead letters each time.
        if self._received is None:
            self._received = self.read(self._queue.name, await self._receive())
        done = await self.commit(self._received)
        receipts = [delivery.receipt for delivery in self._received.deliveries]
        self.let_go()
        await self._queue.delete(done)
        # In the end they come to the dead letters, which are tried again and again as well.
        held = [receipt for receipt in receipts if receipt not in done]
        await self._queue.set_visibility(held, HELD_S)

    def let_go(self) -> None:
        """Of what it holds no more will become here: to be called when there are no more steps."""
        if self._received is not None:
            self._received.end()
            self._received = None

    def read(self, queue: str, messages: "Iterable[Message]") -> "Received":
        """Messages of a queue; those that are no acceptable answers are logged."""
        deliveries = [Delivery(queue, message) for message in messages]
        return Received(deliveries, self._acceptable(deliveries))

    async def commit(self, received: "Received") -> list[str]:
        """Apply answers; log those that are dropped.

        Answers with the receipts of the messages that are done with. The others must come again:
        their requests are held just now, by a transaction of their worker or by another relay.
        """
        answers = received.answers
        endings = await self._apply(answers)
        dropped = {answer.prediction_id for _, answer in answers} - {e.id for e in endings}
        if dropped:
            log.info("dropped late, repeated or foreign answers for %s", ", ".join(sorted(dropped)))
        claims = {(e.id, e.claim_token) for e in endings if e.state is None}
        if claims:
            log.info("the requests of %d answers are held; they will come again", len(claims))
        held = {
            delivery.receipt
            for delivery, answer in answers
            if (answer.prediction_id, answer.claim_token) in claims
        }
        return [d.receipt for d in received.deliveries if d.receipt not in held]

    async def _apply(self, answers: Sequence[_Answer]) -> list[Ending]:
        """Finish the requests of answers, by one of them for each claim."""
        by_claim = {
            (answer.prediction_id, answer.model, answer.version, answer.claim_token): _row(
                delivery, answer
            )
            for delivery, answer in answers
        }
        if not by_claim:
            return []
        rows = list(by_claim.values())
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        with span_of_several(
            "finish requests",
            Kind.CLIENT,
            [delivery.context for delivery, _ in answers],
            attributes={
                "db.system.name": "postgresql",
                "db.operation.name": "UPDATE",
                "db.operation.batch.size": len(rows),
            },
        ):
            async with self._pool.connection() as connection:
                endings = await finish(connection, "answer", columns)
        count(endings)
        if any(ending.state for ending in endings):
            self._on_finished()
        return endings

    async def _receive(self) -> "list[Message]":
        messages = await self._queue.receive(wait_s=self._receive_wait_s)
        if len(messages) == MAX_BATCH:
            more = await asyncio.gather(
                *(self._queue.receive(wait_s=0) for _ in range(MORE_RECEIVES))
            )
            messages = [*messages, *(message for part in more for message in part)]
        return messages

    def _acceptable(self, deliveries: Iterable[Delivery]) -> list[_Answer]:
        """The answers among them."""
        answers = []
        for delivery in deliveries:
            try:
                answer = self._decode(delivery.message)
            except UndecodableMessage as error:
                delivery.span.fail(type(error).__name__)
                with about(trace_id=delivery.trace_id):
                    log.error("dropped message %s: %s", delivery.message["MessageId"], error)
            else:
                delivery.span.set("pmesh.prediction.id", answer.prediction_id)
                answers.append((delivery, answer))
        return answers

    def _decode(self, message: "Message") -> InferenceResponded:
        event = from_message(message)
        if not isinstance(event, InferenceResponded):
            raise UndecodableMessage("it is no answer")
        problem = find_problem(event, features_bucket=self._features_bucket)
        if problem:
            raise UndecodableMessage(problem)
        return event


def _row(delivery: Delivery, answer: InferenceResponded) -> dict[str, Any]:
    """The parameters of the query "answer"; those of an output are null for an error."""
    output = answer.output if answer.HasField("output") else None
    return {
        "id": answer.prediction_id,
        "model": answer.model,
        "version": answer.version,
        "claim_token": answer.claim_token,
        "error": None if output else json_format.MessageToJson(answer.error, indent=None),
        "label": output and output.label,
        "confidence": output and output.confidence,
        "scores": output and json.dumps(dict(output.scores)),
        "value": output.value if output and output.HasField("value") else None,
        "features_uri": answer.features_uri,
        # Of the delivery, if the message was in a trace; or else that of the request counts.
        "traceparent": delivery.traceparent,
    }
