"""Ids of predictions: UUIDv7 (RFC 9562, section 5.7), whose order is the order of time."""

import os
import time
from collections.abc import Iterator

_IDS_A_READ = 256
"""Random bits are read for so many ids at once: a call of the system costs as much as an id."""


def uuid7() -> str:
    """A new id: 48 bits of milliseconds since 1970, then 74 random bits."""
    moment = f"{time.time_ns() // 1_000_000:012x}"
    random = next(_random)
    variant = "89ab"[int(random[3], 16) & 3]
    return f"{moment[:8]}-{moment[8:]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}"


def _random_digits() -> Iterator[str]:
    """20 hexadecimal digits at a time."""
    while True:
        digits = os.urandom(10 * _IDS_A_READ).hex()
        for start in range(0, len(digits), 20):
            yield digits[start : start + 20]


_random = _random_digits()
