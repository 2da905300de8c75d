"""The gateway's log: a line tells which request it is about, with its caller where he has a name,
and an outage fills no disk."""

import logging
import sys

from gateway import request_context

FORMAT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"
LINES_A_SECOND = 100
"""A fault that concerns every call may write as many lines as there are calls."""


def log_to_stderr() -> None:
    """Write lines from INFO on to stderr; one that belongs to no request has [-]."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(AtMost(LINES_A_SECOND))
    handler.addFilter(add_request_id)
    logging.basicConfig(level=logging.INFO, format=FORMAT, handlers=[handler])


def add_request_id(record: logging.LogRecord) -> bool:
    """A filter for a handler, which sees the lines of all loggers."""
    request = request_context.current()
    record.request_id = f"{request.id} {request.caller}" if request.caller else request.id
    return True


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
