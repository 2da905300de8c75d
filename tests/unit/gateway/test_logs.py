"""Lines of the log: which request each is about."""

import asyncio
import contextvars
import io
import logging
from collections.abc import Iterator

import pytest

from gateway.logs import FORMAT, AtMost, add_request_id
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


def test_a_line_names_a_caller_who_has_a_name(lines: io.StringIO) -> None:
    def say() -> None:
        enter(RequestContext(id="one", caller="ann"))
        logging.getLogger("a.part").warning("said")

    contextvars.copy_context().run(say)
    assert "[one ann] said" in lines.getvalue()


def test_a_fault_of_every_call_writes_so_many_lines_and_tells_of_the_others() -> None:
    at_most, written = AtMost(2), []
    for created, text in [(7.0, "a"), (7.1, "b"), (7.2, "c"), (7.9, "d"), (8.0, "e"), (9.0, "f")]:
        record = logging.LogRecord("a.part", logging.ERROR, "", 0, "of %s", (text,), None)
        record.created = created
        if at_most.filter(record):
            written.append(record.getMessage())
    assert written == ["of a", "of b", "of e (after 2 lines that were left out)", "of f"]
