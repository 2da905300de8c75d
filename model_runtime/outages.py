"""Trying again while something that we need is away."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")

log = logging.getLogger(__name__)

FIRST_DELAY_S = 0.1
MAX_DELAY_S = 5.0


class Stopping(Exception):
    """The process is to stop, so that it no longer waits for what is away."""


class Retry:
    """Calls one dependency until it answers; its outages are logged when they begin and end."""

    def __init__(self, dependency: str, *errors: type[Exception], stop: asyncio.Event) -> None:
        """errors: what a call raises when the dependency is away; anything else passes."""
        self._dependency = dependency
        self._errors = errors
        self._stop = stop
        self._away = False

    async def __call__(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Call until it succeeds. Raises Stopping if it fails and `stop` is set."""
        failures = 0
        while True:
            try:
                result = await call()
            except self._errors as exc:
                self._note_failure(exc)
            else:
                self._note_success()
                return result
            failures += 1
            if await self._stopped_within(_delay_s(failures)):
                raise Stopping

    def _note_failure(self, exc: Exception) -> None:
        if not self._away:
            cause = str(exc).partition("\n")[0] or type(exc).__name__
            log.warning("%s is away, trying again: %s", self._dependency, cause)
        self._away = True

    def _note_success(self) -> None:
        if self._away:
            log.info("%s is back", self._dependency)
        self._away = False

    async def _stopped_within(self, delay_s: float) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), delay_s)
        except TimeoutError:
            return False
        return True


def _delay_s(failures: int) -> float:
    longest = min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311
