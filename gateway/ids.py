"""Ids of predictions: UUIDv7 (RFC 9562, section 5.7), whose order is the order of time."""

import os
import time


def uuid7() -> str:
    """A new id: 48 bits of milliseconds since 1970, then 74 random bits."""
    moment = f"{time.time_ns() // 1_000_000:012x}"
    random = os.urandom(10).hex()
    variant = "89ab"[int(random[3], 16) & 3]
    return f"{moment[:8]}-{moment[8:]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}"
