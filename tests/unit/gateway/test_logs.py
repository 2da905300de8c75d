"""Lines of the log: which request each is about."""

import asyncio
import contextvars
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from contract.logs import JsonLines, add_fields
from gateway.logs import AtMost, request_fields
from gateway.request_context import RequestContext, enter

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Lines(io.StringIO):
    def said(self) -> list[tuple[Any, ...]]:
        """Request, caller and message of each."""
        found = [json.loads(line) for line in self.getvalue().splitlines()]
        return [(one.get("request_id"), one.get("caller"), one["message"]) for one in found]


@pytest.fixture
def lines() -> Iterator[Lines]:
    written = Lines()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines("gateway"))
    add_fields(request_fields)
    logging.getLogger("a.part").addHandler(handler)
    yield written
    logging.getLogger("a.part").removeHandler(handler)


async def test_a_line_names_the_request_of_its_task(lines: Lines) -> None:
    async def work(request_id: str) -> None:
        enter(RequestContext(id=request_id))
        await asyncio.sleep(0)
        logging.getLogger("a.part").warning("of %s", request_id)

    await asyncio.gather(work("one"), work("two"))
    logging.getLogger("a.part").warning("of nobody")
    said = [("one", None, "of one"), ("two", None, "of two"), (None, None, "of nobody")]
    assert lines.said() == said


async def test_a_task_of_a_request_is_of_that_request(lines: Lines) -> None:
    async def part() -> None:
        logging.getLogger("a.part").warning("a part")

    enter(RequestContext(id="one"))
    await asyncio.create_task(part())
    assert lines.said() == [("one", None, "a part")]


def test_a_line_names_a_caller_who_has_a_name_and_the_trace(lines: Lines) -> None:
    def say() -> None:
        enter(RequestContext("one", "ann", traceparent=f"00-{TRACE}-b7ad6b7169203331-01"))
        logging.getLogger("a.part").warning("said")

    contextvars.copy_context().run(say)
    assert lines.said() == [("one", "ann", "said")]
    assert json.loads(lines.getvalue())["trace_id"] == TRACE


def test_a_fault_of_every_call_writes_so_many_lines_and_tells_of_the_others() -> None:
    at_most, written = AtMost(2), []
    for created, text in [(7.0, "a"), (7.1, "b"), (7.2, "c"), (7.9, "d"), (8.0, "e"), (9.0, "f")]:
        record = logging.LogRecord("a.part", logging.ERROR, "", 0, "of %s", (text,), None)
        record.created = created
        if at_most.filter(record):
            written.append(record.getMessage())
    assert written == ["of a", "of b", "of e (after 2 lines that were left out)", "of f"]
