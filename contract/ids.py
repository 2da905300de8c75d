"""Ids of predictions: UUIDv7 (RFC 9562, section 5.7), whose order is the order of time."""

import os
import time

_IDS_A_READ = 256
"""Random bits are read for so many ids at once: a call of the system costs as much as an id."""


def uuid7() -> str:
    """A new id: 48 bits of milliseconds since 1970, then 74 random bits."""
    moment = f"{time.time_ns() // 1_000_000:012x}"
    random = _random_digits()
    variant = "89ab"[int(random[3], 16) & 3]
    return f"{moment[:8]}-{moment[8:]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}"


def _random_digits() -> str:
    """20 hexadecimal digits."""
    try:
        return _spare.pop()
    except IndexError:
        digits = os.urandom(10 * _IDS_A_READ).hex()
        _spare.extend(digits[start : start + 20] for start in range(20, len(digits), 20))
        return digits[:20]


_spare: list[str] = []
os.register_at_fork(after_in_child=_spare.clear)
