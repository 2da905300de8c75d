"""How people name a version: sentiment@3."""

import re
from typing import NamedTuple

_NAME = re.compile(r"([a-z][a-z0-9-]{0,62})@([1-9][0-9]{0,17})")


class VersionName(NamedTuple):
    """A model and the number of its version."""

    model: str
    number: str

    @classmethod
    def parse(cls, text: str) -> "VersionName":
        """Raises ValueError, which says what a name looks like."""
        match = _NAME.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} names no version; write it as sentiment@3")
        return cls(match[1], match[2])
