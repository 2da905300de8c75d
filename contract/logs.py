"""How a program writes its log: lines of JSON in production, readable on a terminal.

PMESH_LOG_FORMAT chooses: json, text, or nothing for what suits stderr. A line says what it is
about, by ids and names: never by what a client wrote.

    with about(prediction_id=id, model=model):
        log.warning("the model failed")
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from contract.settings import read, setting

Fields = Callable[[], Mapping[str, str]]
"""What a line is about, as it is written: names and values; empty ones are left out."""


@dataclass(frozen=True, kw_only=True)
class _LogSettings:
    format: str = setting("PMESH_LOG_FORMAT", "", choices=("", "json", "text"))


_NOTHING: Mapping[str, str] = MappingProxyType({})
_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=_NOTHING)
_fields: list[Fields] = [_about.get]


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Lines that are written within the block are about this as well.

    fields: prediction_id, model, version, caller and the like, of a bounded length.
    """
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def add_fields(fields: Fields) -> None:
    """Have every line say these, too; asked in the thread and the task that writes it."""
    if fields not in _fields:
        _fields.append(fields)


def log_to_stderr(program: str, *filters: Callable[[logging.LogRecord], bool]) -> None:
    """Write lines from INFO on to stderr. program: its name.

    filters: of the lines of all loggers. Raises ValueError for a format that there is not.
    """
    chosen = read(_LogSettings, os.environ).format
    as_json = chosen == "json" or (not chosen and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(program) if as_json else TextLines())
    for one in filters:
        handler.addFilter(one)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def fields_now() -> dict[str, str]:
    """What a line would be about that is written now."""
    return {name: value for fields in _fields for name, value in fields().items() if value}


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, program, message, what it is about, exception."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        """A line without its end."""
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "program": self._program,
            "logger": record.name,
            "message": record.getMessage(),
            **fields_now(),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


class TextLines(logging.Formatter):
    """For people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, then what it is about."""
        line = super().formatMessage(record)
        return " ".join([line, *(f"{name}={value}" for name, value in fields_now().items())])
