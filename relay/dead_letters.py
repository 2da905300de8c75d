"""Messages that were received too often: what they asked for is seen to, then they go."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from psycopg_pool import AsyncConnectionPool

from bus.errors import UndecodableMessage
from bus.events import requested_id
from bus.outages import for_each
from bus.sqs import Queue, receipts_of
from bus.topology import Names, dead_letters
from database import named_sql
from relay.responses import Responses
from relay.sweeps import Sweeps

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef as Message

log = logging.getLogger(__name__)

_SQL = named_sql.load("relay")


class DeadLetters:
    """Empties the dead-letter queues. Run `step` now and then.

    An answer is applied after all, once nobody holds its request. A request is published again if
    it has attempts left, while one without is found by the sweeps; so is one whose work goes on and
    then fails.
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
            received = self._responses.read(queue.name, messages)
            try:
                await queue.delete(await self._responses.commit(received))
            finally:
                received.end()

    async def _take_requests(self, model: str) -> None:
        queue = self._open_queue(dead_letters(self._names.model_queue(model)))
        while messages := await queue.receive(wait_s=0):
            ids = [id for message in messages if (id := _prediction_id(message, model))]
            await self._sweeps.rearm(model, age_s=0, ids=ids)
            await queue.delete(receipts_of(messages))


def _prediction_id(message: "Message", model: str) -> str | None:
    try:
        return requested_id(message, model=model)
    except UndecodableMessage as error:
        log.error("dropped dead letter %s: %s", message["MessageId"], error)
        return None
