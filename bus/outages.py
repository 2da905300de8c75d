"""What an outage is, and how it is waited out: again and again, or until told to stop."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

import psycopg
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bus.errors import BusUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

log = logging.getLogger(__name__)

OUTAGES = (BusUnavailable, psycopg.OperationalError)
"""What the bus or PostgreSQL raises when it is away. Other errors are faults."""

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
QUIET_S = 45.0
"""A call that has not failed for so long goes well: some do not end, such as a listener's."""


class Stopping(Exception):
    """The process is to stop, so that it no longer waits for what is away."""


class Retry:
    """Makes calls until they succeed; an outage is logged when it begins and when it is over.

    Calls may run side by side: their outages are one.
    """

    def __init__(self, name: str, *errors: type[Exception], stop: asyncio.Event) -> None:
        """name: of what is away, or of what cannot go on. errors: of an outage; others pass."""
        self._name = name
        self._errors = errors or OUTAGES
        self._stop = stop

    async def __call__(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Call until it succeeds. Raises Stopping if it fails and `stop` is set."""
        failures = 0
        while True:
            try:
                result = await call()
            except self._errors as error:
                self._note_failure(error)
            else:
                self._note_success()
                return result
            failures += 1
            await sleep(_backoff_s(failures), self._stop)
            if self._stop.is_set():
                raise Stopping

    def _note_failure(self, error: Exception) -> None:
        if self not in _waiting:
            log.warning("%s: waiting for the end of an outage: %s", self._name, _cause(error))
        _waiting[self] = (_dependency(error, self._name), time.monotonic())

    def _note_success(self) -> None:
        if _waiting.pop(self, None):
            log.info("%s: the outage is over", self._name)


_waiting: "dict[Retry, tuple[str, float]]" = {}
"""For what each waits that does, and when it was last seen to be away."""


class OutageMetric(Collector):
    """Whether this program waits for what it depends on."""

    def __init__(self, *dependencies: str) -> None:
        self._dependencies = dependencies

    def collect(self) -> Iterator[Metric]:
        """The metric as it now stands."""
        outage = GaugeMetricFamily(
            "pmesh_outage",
            "1 while something waits for the end of an outage.",
            labels=("dependency",),
        )
        since = time.monotonic() - QUIET_S
        away = {dependency for dependency, last in list(_waiting.values()) if last > since}
        for dependency in self._dependencies:
            outage.add_metric((dependency,), dependency in away)
        yield outage


async def repeat(
    step: Callable[[], Awaitable[None]],
    *,
    name: str,
    stop: asyncio.Event,
    pause_s: float = 0.0,
) -> None:
    """Run `step`, with `pause_s` seconds in between, until `stop` is set; never inside a step."""
    retry = Retry(name, stop=stop)
    with suppress(Stopping):
        while not stop.is_set():
            await retry(step)
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
        with suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), delay_s)


def _backoff_s(failures: int) -> float:
    """Jittered, so that many that wait for the same do not come back as one."""
    longest = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(failures, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311


def _dependency(error: Exception, otherwise: str) -> str:
    if isinstance(error, psycopg.Error):
        return "PostgreSQL"
    return error.dependency if isinstance(error, BusUnavailable) else otherwise


def _cause(error: Exception) -> str:
    if isinstance(error, psycopg.Error):
        return f"the database: {type(error).__name__}"
    if isinstance(error, BusUnavailable):
        return f"the bus: {error}"
    return str(error).partition("\n")[0] or type(error).__name__
