"""Numbers and times on command lines; numbers as strictly as contract.settings reads them."""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """The type of an argument; both bounds are allowed."""

    def read(text: str) -> int:
        if not is_whole(text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"it must be a whole number, {least} to {most}")
        return int(text)

    return read


def is_whole(text: str) -> bool:
    """Whether a text is a whole number, without a sign, that any bound could be asked of."""
    return text.isascii() and text.isdecimal() and len(text) <= 18


def moment(text: str) -> datetime:
    """A time in ISO 8601; UTC, if it does not say. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
