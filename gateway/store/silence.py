"""A database that says nothing: seen once, by all who ask it together, and then waited for by none.

An error is an answer, and so is one that comes late. Silence is a host that went away without a
word: it would keep each caller until its deadline.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context

import psycopg
from psycopg import errors, pq

from contract.errors import StoreUnavailable

log = logging.getLogger(__name__)

PATIENCE_S = 1.0
"""After which a question without an answer has the database looked at."""
LOOK_S = 3.0
"""Within which a database that is there says something to a new connection."""
PAUSE_S = 0.2
"""Between looks at one that is silent."""
ANSWER_S = 10.0
"""After which a question is given up even so: its own connection may lead nowhere."""


class Silence:
    """Watches over connections while something is asked on them."""

    def __init__(self, look: Callable[[], Awaitable[None]]) -> None:
        """look: connects anew; an error of psycopg is an answer too."""
        self._look = look
        self._silent = False
        self._asked: dict[int, tuple[pq.abc.PGconn, float]] = {}
        """By id, in the order in which they were asked, with when."""
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()

    @property
    def is_noticed(self) -> bool:
        """Whether callers are refused for it."""
        return self._silent

    def check(self) -> None:
        """Raises StoreUnavailable at once where it would have to be waited for."""
        if self._silent:
            raise StoreUnavailable

    @contextmanager
    def watching(self, link: pq.abc.PGconn) -> Iterator[None]:
        """Within the block a connection may end, as if the server had closed it."""
        loop = asyncio.get_running_loop()
        self._asked[id(link)] = link, loop.time()
        if self._timer is None:
            # Of nobody's request: what is seen concerns all.
            self._timer = loop.call_later(PATIENCE_S, self._on_time, context=Context())
        try:
            yield
        finally:
            del self._asked[id(link)]

    def notice(self) -> None:
        """A new connection has waited for LOOK_S in vain."""
        if not self._silent:
            log.warning("the database is silent; calls are refused until it answers")
        self._silent = True
        self._cut(PATIENCE_S)
        self._start_looking()

    def _on_time(self) -> None:
        self._timer = None
        if not self._asked:
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PATIENCE_S, self._on_time, context=Context())
        self._cut(ANSWER_S)
        oldest = next(iter(self._asked.values()), None)
        if oldest is not None and loop.time() - oldest[1] >= PATIENCE_S:
            self._start_looking()

    def _start_looking(self) -> None:
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_until_answered(), context=Context())
            self._looking.add_done_callback(self._on_answer)

    def _on_answer(self, _: asyncio.Task[None]) -> None:
        self._looking = None
        if self._silent:
            log.info("the database answers again")
        self._silent = False

    async def _look_until_answered(self) -> None:
        while not await self._answers():
            self.notice()
            await asyncio.sleep(PAUSE_S)

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(LOOK_S):
                await self._look()
        except (TimeoutError, errors.ConnectionTimeout):
            return False
        except psycopg.Error as error:
            log.info("the database does not take a connection: %s", type(error).__name__)
        return True

    def _cut(self, age_s: float) -> None:
        """End the connections that were asked this long ago, so that whoever waits goes on."""
        limit = asyncio.get_running_loop().time() - age_s
        for link, asked in self._asked.values():
            if asked <= limit:
                with suppress(psycopg.OperationalError, OSError):  # it has ended by itself
                    _shut_down(link.socket)


def _shut_down(descriptor: int) -> None:
    """Have the other side of a socket look closed; it stays open for whoever owns it."""
    with socket.socket(fileno=os.dup(descriptor)) as same:
        same.shutdown(socket.SHUT_RDWR)
