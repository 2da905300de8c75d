"""Doing a thing again and again: through outages, until told to stop."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import psycopg

from gateway.bus.errors import BusUnavailable

Item = TypeVar("Item")

log = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0


async def repeat(
    step: Callable[[], Awaitable[None]],
    *,
    name: str,
    stop: asyncio.Event,
    pause_s: float = 0.0,
) -> None:
    """Run `step`, with `pause_s` seconds in between, until `stop` is set; never inside a step.

    A step that fails because PostgreSQL or the bus is away is tried again after a jittered and
    growing delay; the outage is logged when it begins and when it is over. Other errors pass.
    """
    failures = 0
    while not stop.is_set():
        try:
            await step()
        except (BusUnavailable, psycopg.OperationalError) as error:
            if failures == 0:
                log.warning("%s: waiting for the end of an outage: %s", name, _cause(error))
            failures += 1
            await sleep(_backoff_s(failures), stop)
        else:
            if failures:
                log.info("%s: the outage is over, after %d failures", name, failures)
            failures = 0
            await sleep(pause_s, stop)


async def for_each(items: Iterable[Item], do: Callable[[Item], Awaitable[None]]) -> None:
    """Do a thing for each item, where the bus may be unavailable for some of them only.

    Raises BusUnavailable at the end if it was for any.
    """
    unavailable: BusUnavailable | None = None
    for item in items:
        try:
            await do(item)
        except BusUnavailable as error:
            unavailable = error
    if unavailable is not None:
        raise unavailable


async def sleep(delay_s: float, wake: asyncio.Event) -> None:
    """Sleep, but only until `wake` is set."""
    if delay_s:
        try:
            await asyncio.wait_for(wake.wait(), delay_s)
        except TimeoutError:
            return


def _backoff_s(failures: int) -> float:
    longest = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(failures, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311


def _cause(error: Exception) -> str:
    if isinstance(error, BusUnavailable):
        return f"the bus: {error}"
    return f"the database: {type(error).__name__}"
