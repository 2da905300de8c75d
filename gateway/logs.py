"""The gateway's log: a line tells which request it is about, with its caller where he has a name,
and an outage fills no disk."""

import logging
from collections.abc import Mapping

from contract import logs
from gateway import request_context
from telemetry import trace_context

LINES_A_SECOND = 100
"""A fault that concerns every call may write as many lines as there are calls."""


def log_to_stderr() -> None:
    """Write lines from INFO on to stderr."""
    logs.add_fields(request_fields)
    logs.log_to_stderr("gateway", AtMost(LINES_A_SECOND).filter)


def request_fields() -> Mapping[str, str]:
    """Of the request that the present task works for."""
    request = request_context.current()
    if request is request_context.OUTSIDE:
        return {}
    trace = request.call or trace_context.parse(request.traceparent)
    return {
        "request_id": request.id,
        "caller": request.caller,
        "trace_id": trace.trace_id if trace else "",
    }


class AtMost(logging.Filter):
    """Lets so many lines of a second pass; the next one tells how many it has left out."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self._lines = lines
        self._second = self._seen = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the line."""
        if (second := int(record.created)) != self._second:
            if (left_out := self._seen - self._lines) > 0:
                record.msg = f"{record.getMessage()} (after {left_out} lines that were left out)"
                record.args = ()
            self._second, self._seen = second, 0
        self._seen += 1
        return self._seen <= self._lines
