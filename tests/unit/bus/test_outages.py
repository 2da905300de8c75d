"""Trying again through outages."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import psycopg
import psycopg_pool
import pytest

from bus.errors import BusUnavailable
from bus.outages import Retry, Stopping, for_each, repeat


class Away(Exception):
    pass


def failing(*failures: Exception) -> Callable[[], Awaitable[str]]:
    """A call that fails in these ways before it succeeds."""
    outcomes = iter(failures)

    async def call() -> str:
        for outcome in outcomes:
            raise outcome
        return "done"

    return call


async def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    retry = Retry("S3", Away, stop=asyncio.Event())
    with caplog.at_level(logging.INFO):
        assert await retry(failing(*[Away("nobody home\nnor here")] * 3)) == "done"
    assert caplog.messages == [
        "S3: waiting for the end of an outage: nobody home",
        "S3: the outage is over",
    ]


async def test_calls_side_by_side_have_one_outage(caplog: pytest.LogCaptureFixture) -> None:
    retry = Retry("S3", Away, stop=asyncio.Event())
    with caplog.at_level(logging.INFO):
        await asyncio.gather(*(retry(failing(Away())) for _ in range(10)))
    assert caplog.messages.count("S3: waiting for the end of an outage: Away") == 1


async def test_stopping_ends_the_waiting_but_not_a_success() -> None:
    stop = asyncio.Event()
    stop.set()
    retry = Retry("S3", Away, stop=stop)
    assert await retry(failing()) == "done"
    with pytest.raises(Stopping):
        await retry(failing(Away()))


async def test_other_errors_pass() -> None:
    retry = Retry("S3", KeyError, stop=asyncio.Event())
    with pytest.raises(Away):
        await retry(failing(Away()))


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (BusUnavailable("NotFound"), "the bus: NotFound"),
        (psycopg.OperationalError("connection refused"), "the database: OperationalError"),
        (psycopg_pool.PoolTimeout("none within 5 s"), "the database: PoolTimeout"),
    ],
)
async def test_a_loop_goes_on_after_an_outage_of_the_bus_or_the_database(
    error: Exception, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    stop = asyncio.Event()
    call = failing(error)

    async def step() -> None:
        await call()
        stop.set()

    with caplog.at_level(logging.INFO):
        await repeat(step, name="publisher", stop=stop)
    assert caplog.messages == [
        f"publisher: waiting for the end of an outage: {cause}",
        "publisher: the outage is over",
    ]


@pytest.mark.parametrize("error", [psycopg.ProgrammingError(), ValueError()])
async def test_a_fault_ends_a_loop(error: Exception) -> None:
    with pytest.raises(type(error)):
        await repeat(failing(error), name="publisher", stop=asyncio.Event())  # type: ignore[arg-type]


async def test_a_loop_that_is_told_to_stop_ends_in_the_midst_of_an_outage() -> None:
    stop = asyncio.Event()

    async def step() -> None:
        stop.set()
        raise BusUnavailable

    await repeat(step, name="publisher", stop=stop)


async def test_what_fails_for_one_item_is_done_for_the_others_and_told_at_the_end() -> None:
    done = []

    async def do(item: str) -> None:
        if item == "away":
            raise BusUnavailable
        done.append(item)

    with pytest.raises(BusUnavailable):
        await for_each(["a", "away", "b"], do)
    assert done == ["a", "b"]
