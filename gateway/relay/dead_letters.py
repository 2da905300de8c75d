"""Messages that were received too often: what they asked for is seen to, then they go."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from predict.v1.events_pb2 import InferenceRequested
from psycopg_pool import AsyncConnectionPool

from gateway.bus.errors import UndecodableMessage
from gateway.bus.events import from_message
from gateway.bus.sqs import Queue
from gateway.bus.topology import Names, dead_letters
from gateway.relay.answers import is_uuid
from gateway.relay.loops import for_each
from gateway.relay.responses import Responses
from gateway.relay.sweeps import Sweeps
from gateway.store import queries

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef as Message

log = logging.getLogger(__name__)

_SQL = queries.load("gateway.relay")


class DeadLetters:
    """Empties the dead-letter queues. Run `step` every few seconds.

    An answer is applied after all. A request is published again if it has attempts left, while
    one without is found by the sweeps; so is one whose work goes on and then fails.
    """

    def __init__(
        self,
        *,
        pool: AsyncConnectionPool,
        names: Names,
        open_queue: Callable[[str], Queue],
        responses: Responses,
        sweeps: Sweeps,
    ) -> None:
        self._pool = pool
        self._names = names
        self._open_queue = open_queue
        self._responses = responses
        self._sweeps = sweeps

    async def step(self) -> None:
        """Take what is in the dead-letter queues now."""
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_SQL["models"])).fetchall()
        await self._take_answers()
        await for_each([model for (model,) in rows], self._take_requests)

    async def _take_answers(self) -> None:
        queue = self._open_queue(dead_letters(self._names.gateway_queue))
        while messages := await queue.receive(wait_s=0):
            await self._responses.commit(messages)
            await queue.delete(messages)

    async def _take_requests(self, model: str) -> None:
        queue = self._open_queue(dead_letters(self._names.model_queue(model)))
        while messages := await queue.receive(wait_s=0):
            ids = [id for message in messages if (id := _prediction_id(message, model))]
            await self._sweeps.rearm(model, age_s=0, ids=ids)
            await queue.delete(messages)


def _prediction_id(message: "Message", model: str) -> str | None:
    try:
        event = from_message(message)
    except UndecodableMessage as error:
        log.error("dropped dead letter %s: %s", message["MessageId"], error)
        return None
    if (
        isinstance(event, InferenceRequested)
        and event.model == model
        and is_uuid(event.prediction_id)
    ):
        return event.prediction_id
    log.error("dropped dead letter %s: it is no request to this model", message["MessageId"])
    return None
