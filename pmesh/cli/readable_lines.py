"""Lines of logs for people, also of parts that write JSON."""

import json
from collections.abc import Iterator
from typing import Any

_FIRST = ("time", "level", "logger", "message")


def readable(line: str) -> str:
    """The same line, or what one of JSON says; with the end that it had."""
    if not line.startswith("{"):
        return line
    try:
        said = json.loads(line)
    except ValueError:
        return line
    return " ".join(_words(said)) + "\n"


def _words(said: dict[str, Any]) -> Iterator[str]:
    """What it says of when and what, then the rest by name, an exception's places last."""
    exception = said.pop("exception", "")
    said.pop("program", "")
    yield from (str(said.pop(name)) for name in _FIRST if name in said)
    yield from (f"{name}={value}" for name, value in said.items() if value not in ("", None))
    if exception:
        yield f"\n{exception}"
