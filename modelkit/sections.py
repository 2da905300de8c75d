"""Sections of a YAML file that people write: what is not as it ought to be is named.

Each raises ValueError, which begins with where it is, such as `serving.tritons`.
"""

from collections.abc import Collection, Mapping
from typing import Any

_IN_QUOTES = "those like 1, yes and no are in quotes"


def section(where: str, said: Any, keys: Collection[str] | None = None) -> Mapping[Any, Any]:
    """Of these keys and no others; None: of any."""
    if not isinstance(said, dict):
        raise ValueError(f"{where} is a section with keys, not {said!r}")
    if keys is not None and (unknown := sorted(map(str, said.keys() - set(keys)))):
        raise ValueError(f"{where} has no {', '.join(unknown)}; it may have {', '.join(keys)}")
    return said


def text(where: str, said: Any) -> str:
    """One, and not what YAML takes for something else."""
    if not isinstance(said, str):
        raise ValueError(f"{where} is a text, not {said!r}; {_IN_QUOTES}")
    return said


def texts(where: str, said: Any) -> list[str]:
    """A list of them."""
    if not isinstance(said, list) or not all(isinstance(one, str) for one in said):
        raise ValueError(f"{where} is a list of texts, not {said!r}; {_IN_QUOTES}")
    return said


def whole_number(where: str, said: Any, least: int, most: int) -> int:
    """Within these bounds."""
    if type(said) is not int or not least <= said <= most:
        raise ValueError(f"{where} is a whole number of {least} to {most}, not {said!r}")
    return said
