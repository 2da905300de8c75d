"""From the model's queue to the topic: takes requests in batches and sees each of them through."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bus.deliveries import Delivery
from bus.errors import UndecodableMessage
from bus.events import requested_id
from bus.outages import Stopping
from bus.sqs import MAX_BATCH, Queue
from contract.logs import about
from model_runtime.answering import Answerer, GivenUp
from model_runtime.availability import Away
from model_runtime.claims import ClaimOutcome, Claims
from model_runtime.keeper import Keeper
from model_runtime.metrics import CLAIMS_LOST, REDELIVERED, REQUESTS, timed
from model_runtime.publication import Publication
from model_runtime.retries import Retries
from model_runtime.work import Work, end_all
from telemetry.capacity import tell_capacity
from telemetry.spans import Kind, Value, span_of_several
from telemetry.trace_context import first_sampled

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef as Message

log = logging.getLogger(__name__)

MAX_MESSAGES = 100  # in one batch
MAX_BATCHES = 4  # side by side


class QueueWorker:
    """Takes messages in batches and works on them until told to stop."""

    def __init__(
        self,
        *,
        model: str,
        queue: Queue,
        claims: Claims,
        keeper: Keeper,
        answerer: Answerer,
        publication: Publication,
        retries: Retries,
        stop: asyncio.Event,
        receive_wait_s: int,
        lease_s: int,
    ) -> None:
        self._model = model
        self._queue = queue
        self._claims = claims
        self._keeper = keeper
        self._answerer = answerer
        self._publication = publication
        self._retries = retries
        self._stop = stop
        self._receive_wait_s = receive_wait_s
        self._lease_s = lease_s
        self._slots = asyncio.Semaphore(MAX_BATCHES)
        self._alone = asyncio.Lock()

    async def run(self) -> None:
        """Work until `stop` is set; then finish what runs and give back what does not."""
        for counter in (CLAIMS_LOST, REDELIVERED):
            counter.labels(self._model)  # from its beginning on
        running: set[asyncio.Task[None]] = set()
        tell_capacity("batches", MAX_BATCHES, lambda: len(running))
        async with asyncio.TaskGroup() as batches:
            while not self._stop.is_set():
                await self._slots.acquire()
                try:
                    messages = await self._retries.queue(self._receive)
                except Stopping:
                    break
                batch = batches.create_task(self._handle(messages))
                running.add(batch)
                batch.add_done_callback(running.discard)

    async def _receive(self) -> "list[Message]":
        """Wait for messages; when many are there, take more of them."""
        received = await self._queue.receive(
            wait_s=self._receive_wait_s, visibility_s=self._lease_s
        )
        messages = received
        while len(received) == MAX_BATCH and len(messages) < MAX_MESSAGES:
            received = await self._queue.receive(wait_s=0, visibility_s=self._lease_s)
            messages = messages + received
        return messages

    async def _handle(self, messages: "Sequence[Message]") -> None:
        deliveries = self._deliveries(messages)
        try:
            tried_before = await self._work_on(deliveries) if deliveries else []
            for prediction_id in tried_before:
                # One of them may kill this process: it shall not take the others with it.
                async with self._alone:
                    await self._work_on({prediction_id: deliveries[prediction_id]})
        finally:
            end_all(deliveries.values())  # those that were cut off, too
            self._slots.release()

    def _deliveries(self, messages: "Sequence[Message]") -> dict[str, list[Delivery]]:
        """By prediction id. What cannot be read is left alone, for the dead-letter queue."""
        deliveries = defaultdict(list)
        for message in messages:
            delivery = Delivery(self._queue.name, message)
            REDELIVERED.labels(self._model).inc(delivery.is_again)
            try:
                prediction_id = requested_id(message, model=self._model)
            except UndecodableMessage as error:
                with about(trace_id=delivery.trace_id):
                    log.warning("message %s is passed over: %s", message["MessageId"], error)
                delivery.span.fail(type(error).__name__)
                delivery.end()
            else:
                delivery.span.set("pmesh.model", self._model)
                delivery.span.set("pmesh.prediction.id", prediction_id)
                deliveries[prediction_id].append(delivery)
        return deliveries

    async def _work_on(self, deliveries: Mapping[str, Sequence[Delivery]]) -> list[str]:
        """Work on what can be claimed together; answers what must be claimed by itself."""
        work = Work(deliveries)
        try:
            if self._stop.is_set():
                raise Stopping
            outcome = await self._retries.store(lambda: self._claim(work))
            finished = work.receipts_of(outcome.finished)
            work.take(outcome.claimed)
            await self._delete(finished)
        except Stopping:
            await self._keeper.give_back(work)
            return []
        later = {*work.deliveries, *outcome.alone}
        end_all(each for key, each in deliveries.items() if key not in later)
        async with asyncio.TaskGroup() as parts:
            for part in work.by_version():  # none waits for the server of another
                parts.create_task(self._see_through(part))
        return outcome.alone

    async def _claim(self, work: Work) -> ClaimOutcome:
        ids = list(work.deliveries)
        attributes: dict[str, Value] = {
            "db.system.name": "postgresql",
            "db.operation.name": "SELECT",
            "db.stored_procedure.name": "worker_v1.claim",
            "db.operation.batch.size": len(ids),
        }
        with (
            span_of_several(
                "claim requests", Kind.CLIENT, work.contexts(ids), attributes=attributes
            ),
            timed(self._model, "claim"),
        ):
            return await self._claims.claim(ids)

    async def _see_through(self, work: Work) -> None:
        """Answer claimed requests of one version."""
        claim = work.any_claim()
        version = claim.version if claim and claim.labels is not None else ""
        try:
            with about(version=version, **work.only()):
                await self._answer(work, version)
        finally:
            work.end()

    async def _answer(self, work: Work, version: str) -> None:
        try:
            async with self._keeper.keeping(work):
                events = await self._answerer.answer(work)
                contexts = work.context_of()
                with timed(self._model, "publish", first_sampled(contexts.values())):
                    done = await self._publication.publish(events, contexts)
                for prediction_id, outcome in done.items():
                    REQUESTS.labels(self._model, version, outcome).inc()
                    if outcome != "succeeded":
                        work.fail(outcome, [prediction_id])
                await self._delete(work.receipts_of(done.keys() & work.claims.keys()))
        except Stopping:
            await self._give_back(work, version)
        except GivenUp as error:
            work.fail(type(error).__name__)
            await self._give_back(work, version)
        except Away as away:  # the slot is for those whose servers are there
            work.fail(type(away).__name__)
            await self._give_back(work, version, pause_s=away.pause_s)

    async def _give_back(self, work: Work, version: str, *, pause_s: int = 0) -> None:
        REQUESTS.labels(self._model, version, "given_back").inc(len(work.claims))
        await self._keeper.give_back(work, pause_s=pause_s)

    async def _delete(self, receipts: Sequence[str]) -> None:
        await self._retries.queue(lambda: self._queue.delete(receipts))
