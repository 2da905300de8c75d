"""Trying again through outages."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from model_runtime.outages import Retry, Stopping


class Away(Exception):
    pass


def failing(times: int) -> Callable[[], Awaitable[str]]:
    """A call that fails so many times before it succeeds."""
    outcomes = iter([Away("nobody home")] * times)

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
        assert await retry(failing(3)) == "done"
    assert caplog.messages == ["S3 is away, trying again: nobody home", "S3 is back"]


async def test_stopping_ends_the_waiting_but_not_a_success() -> None:
    stop = asyncio.Event()
    stop.set()
    retry = Retry("S3", Away, stop=stop)
    assert await retry(failing(0)) == "done"
    with pytest.raises(Stopping):
        await retry(failing(1))


async def test_other_errors_pass() -> None:
    retry = Retry("S3", KeyError, stop=asyncio.Event())
    with pytest.raises(Away):
        await retry(failing(1))
