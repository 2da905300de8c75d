"""From the model's queue to the topic: takes requests in batches and sees each of them through."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bus.errors import UndecodableMessage
from bus.events import requested_id
from bus.outages import Stopping
from bus.sqs import MAX_BATCH, Queue
from model_runtime.answering import Answerer, GivenUp
from model_runtime.availability import Away
from model_runtime.claims import Claims
from model_runtime.keeper import Keeper
from model_runtime.publication import Publication
from model_runtime.retries import Retries
from model_runtime.work import Work

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
        async with asyncio.TaskGroup() as batches:
            while not self._stop.is_set():
                await self._slots.acquire()
                try:
                    messages = await self._retries.queue(self._receive)
                except Stopping:
                    break
                batches.create_task(self._handle(messages))

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
        try:
            receipts = self._receipts(messages)
            tried_before = await self._work_on(receipts) if receipts else []
            for prediction_id in tried_before:
                # One of them may kill this process: it shall not take the others with it.
                async with self._alone:
                    await self._work_on({prediction_id: receipts[prediction_id]})
        finally:
            self._slots.release()

    def _receipts(self, messages: "Sequence[Message]") -> dict[str, list[str]]:
        """By prediction id. What cannot be read is left alone, for the dead-letter queue."""
        receipts = defaultdict(list)
        for message in messages:
            try:
                prediction_id = requested_id(message, model=self._model)
            except UndecodableMessage as error:
                log.warning("message %s is passed over: %s", message["MessageId"], error)
            else:
                receipts[prediction_id].append(message["ReceiptHandle"])
        return receipts

    async def _work_on(self, receipts: dict[str, list[str]]) -> list[str]:
        """Work on what can be claimed together; answers what must be claimed by itself."""
        work = Work(receipts)
        try:
            if self._stop.is_set():
                raise Stopping
            outcome = await self._retries.store(lambda: self._claims.claim(list(receipts)))
            finished = work.receipts_of(outcome.finished)
            work.take(outcome.claimed)
            await self._delete(finished)
        except Stopping:
            await self._keeper.give_back(work)
            return []
        async with asyncio.TaskGroup() as parts:
            for part in work.by_version():  # none waits for the server of another
                parts.create_task(self._see_through(part))
        return outcome.alone

    async def _see_through(self, work: Work) -> None:
        """Answer claimed requests of one version."""
        try:
            async with self._keeper.keeping(work):
                done = await self._publication.publish(await self._answerer.answer(work))
                await self._delete(work.receipts_of(done & work.claims.keys()))
        except (Stopping, GivenUp):
            await self._keeper.give_back(work)
        except Away as away:  # the slot is for those whose servers are there
            await self._keeper.give_back(work, pause_s=away.pause_s)

    async def _delete(self, receipts: Sequence[str]) -> None:
        await self._retries.queue(lambda: self._queue.delete(receipts))
