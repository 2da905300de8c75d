"""How a program writes its log: lines of JSON in production, readable on a terminal.

PMESH_LOG_FORMAT chooses: json, text, or nothing for what suits stderr. A line says what it is
about, by ids and names: never by what a client wrote. So of an exception it tells the classes and
the places, not the words, which may quote anything.

    with about(prediction_id=id, model=model):
        log.warning("the model failed")
"""

import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from contract.settings import read, setting

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

log = logging.getLogger(__name__)

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


def writes_json() -> bool:
    """Whether lines are JSON in this environment. Raises ValueError for a format that there is
    not."""
    chosen = read(_LogSettings, os.environ).format
    return chosen == "json" or (not chosen and not sys.stderr.isatty())


def log_to_stderr(program: str, *filters: Callable[[logging.LogRecord], bool]) -> None:
    """Write lines from INFO on to stderr, warnings and what ends the program or a thread of it
    among them. program: its name.

    filters: of the lines of all loggers. Exits with one line for a format that there is not.
    """
    try:
        formatter = JsonLines(program) if writes_json() else TextLines()
    except ValueError as error:
        sys.exit(f"{program}: {error}")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    for one in filters:
        handler.addFilter(one)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _program_ends
    sys.unraisablehook = _goes_on
    threading.excepthook = _thread_ends


def end(why: str) -> NoReturn:
    """Exit with status 1 and a last line that says why; of JSON if the others are."""
    if any(isinstance(one.formatter, JsonLines) for one in logging.root.handlers):
        log.critical("%s", why)
        sys.exit(1)
    sys.exit(why)


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
            "message": _message(record),
            **fields_now(),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)

    def formatException(self, ei: Any) -> str:
        """Its classes and places."""
        return _places(ei[1])


class TextLines(logging.Formatter):
    """For people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, then what it is about."""
        record.message = _message(record)
        line = super().formatMessage(record)
        return " ".join([line, *(f"{name}={value}" for name, value in fields_now().items())])

    def formatException(self, ei: Any) -> str:
        """Its classes and places."""
        return _places(ei[1])


def _message(record: logging.LogRecord) -> str:
    """asyncio's goes on with the task and its exception, in words."""
    message = record.getMessage()
    return message.partition("\n")[0] if record.name == "asyncio" else message


def _places(error: BaseException | None) -> str:
    return "".join(_lines(error, set())).rstrip()


def _lines(error: BaseException | None, told: set[int]) -> Iterator[str]:
    """Of an exception, after what it came of."""
    if error is None or id(error) in told:
        return
    told.add(id(error))
    yield from _lines(error.__cause__, told)
    if not error.__suppress_context__:
        yield from _lines(error.__context__, told)
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}\n"
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _lines(one, told)


def _program_ends(kind: type[BaseException], error: BaseException, _: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        log.info("interrupted")
    else:
        # The system's own words are of files and addresses: a port that is taken, a full disk.
        why = str(error) if isinstance(error, OSError) else f"unexpected {kind.__name__}"
        log.critical("the program ends: %s", why, exc_info=error)


def _thread_ends(said: threading.ExceptHookArgs) -> None:
    name = said.thread.name if said.thread else "unknown"
    log.error(
        "thread %s ends: unexpected %s", name, said.exc_type.__name__, exc_info=said.exc_value
    )


def _goes_on(said: "UnraisableHookArgs") -> None:
    log.error(
        "unexpected %s where none can be raised", said.exc_type.__name__, exc_info=said.exc_value
    )
