"""Lines of the log: which request each is about."""

import asyncio
import io
import logging
from collections.abc import Iterator

import pytest

from gateway.logs import FORMAT, add_request_id
from gateway.request_context import RequestContext, enter


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.addFilter(add_request_id)
    logging.getLogger("a.part").addHandler(handler)
    yield written
    logging.getLogger("a.part").removeHandler(handler)


async def test_a_line_names_the_request_of_its_task(lines: io.StringIO) -> None:
    async def work(request_id: str) -> None:
        enter(RequestContext(id=request_id))
        await asyncio.sleep(0)
        logging.getLogger("a.part").warning("of %s", request_id)

    await asyncio.gather(work("one"), work("two"))
    logging.getLogger("a.part").warning("of nobody")
    said = [line.split(" ", 2)[2] for line in lines.getvalue().splitlines()]
    assert said == [
        "WARNING a.part [one] of one",
        "WARNING a.part [two] of two",
        "WARNING a.part [-] of nobody",
    ]


async def test_a_task_of_a_request_is_of_that_request(lines: io.StringIO) -> None:
    async def part() -> None:
        logging.getLogger("a.part").warning("a part")

    enter(RequestContext(id="one"))
    await asyncio.create_task(part())
    assert "[one] a part" in lines.getvalue()
