"""The gateway's log: a line tells which request it is about."""

import logging
import sys

from gateway import request_context

FORMAT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"


def log_to_stderr() -> None:
    """Write all lines from INFO on to stderr; one that belongs to no request has [-]."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(add_request_id)
    logging.basicConfig(level=logging.INFO, format=FORMAT, handlers=[handler])


def add_request_id(record: logging.LogRecord) -> bool:
    """A filter for a handler, which sees the lines of all loggers."""
    record.request_id = request_context.current().id
    return True
