"""The one reader of settings: a frozen dataclass whose fields name their environment variables.

@dataclass(frozen=True, kw_only=True)
class Settings:
    topic_arn: str = setting("PMESH_TOPIC_ARN", matching=TOPIC_ARN)
    lease_s: int = setting("PMESH_LEASE_S", 30, least=1, most=3600)

settings = read(Settings, os.environ)
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from contract.arguments import is_whole

Settings = TypeVar("Settings")

_RULE = "rule"
_NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


class InvalidSetting(ValueError):
    """A program cannot be what its variables say: the message is all that it needs to say, and
    quotes nothing else."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a variable may hold."""

    variable: str
    least: float
    most: float
    choices: Sequence[str]
    matching: "re.Pattern[str] | None"
    meaning: str
    secret: bool


def setting(
    variable: str,
    default: Any = MISSING,
    *,
    least: float = 0,
    most: float = 2**31 - 1,
    choices: Sequence[str] = (),
    matching: "re.Pattern[str] | None" = None,
    meaning: str = "",
    secret: bool = False,
) -> Any:
    """A field of a settings class; without a default, the variable must be given.

    The type of the field says what is read: an int is a whole number, a float a number, a
    tuple[str, ...] a list with commas between; a str or a Path is taken as it is.
    least, most: of numbers, both allowed. choices: all that a text may be. matching: what a text
    must match as a whole, and `meaning` that in words. Both also of each text of a list.
    secret: it may hold a password, so that no error quotes it.
    """
    rule = _Rule(variable, least, most, choices, matching, meaning, secret)
    return field(default=default, metadata={_RULE: rule})


def read(settings: type[Settings], environ: Mapping[str, str]) -> Settings:
    """Make the settings from the environment; an empty variable counts as not given.

    Raises InvalidSetting, naming the variable.
    """
    types = get_type_hints(settings)
    values: dict[str, Any] = {}
    for known in fields(settings):  # type: ignore[arg-type]
        rule: _Rule | None = known.metadata.get(_RULE)
        if rule is None:
            continue
        if text := environ.get(rule.variable, ""):
            values[known.name] = _READERS[types[known.name]](rule, text)
        elif known.default is MISSING:
            raise InvalidSetting(f"{rule.variable} is not set")
    return settings(**values)


def _whole(rule: _Rule, text: str) -> int:
    if not is_whole(text) or not rule.least <= int(text) <= rule.most:
        raise _refused(rule, text, f"a whole number, {rule.least:g} to {rule.most:.16g}")
    return int(text)


def _number(rule: _Rule, text: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not rule.least <= value <= rule.most:
        raise _refused(rule, text, f"a number, {rule.least:g} to {rule.most:.16g}")
    return value


def _text(rule: _Rule, text: str) -> str:
    if rule.choices and text not in rule.choices:
        raise _refused(rule, text, " or ".join(filter(None, rule.choices)))
    if rule.matching is not None and not rule.matching.fullmatch(text):
        raise _refused(rule, text, rule.meaning)
    return text


def _list(rule: _Rule, text: str) -> tuple[str, ...]:
    return tuple(_text(rule, part.strip()) for part in text.split(",") if part.strip())


def _refused(rule: _Rule, text: str, expected: str) -> InvalidSetting:
    instead = "" if rule.secret else f", not {text!r}"
    return InvalidSetting(f"{rule.variable} must be {expected}{instead}")


_READERS: dict[Any, Callable[[_Rule, str], Any]] = {
    int: _whole,
    float: _number,
    float | None: _number,
    str: _text,
    Path: lambda _, text: Path(text),
    Path | None: lambda _, text: Path(text),
    tuple[str, ...]: _list,
}
