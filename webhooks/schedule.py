"""When what a webhook did not take is tried again: ever later, for a day."""

import random
from datetime import timedelta

_MINUTE = 60.0
_PAUSES_S = (
    *(5.0, 30.0, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE),
    *(60 * _MINUTE, 120 * _MINUTE, 240 * _MINUTE, 480 * _MINUTE, 480 * _MINUTE),
)
"""After each attempt; in sum a little less than LIFE."""
LIFE = timedelta(days=1)
"""From when it is told to when it is given up."""


def pause(attempts: int) -> timedelta | None:
    """From the last of so many attempts, at least one, to the next; None: it is given up.

    Up to a tenth longer by chance, so that not all comes at once after an outage.
    """
    if attempts > len(_PAUSES_S):
        return None
    jitter = 1 + random.random() / 10  # noqa: S311
    return timedelta(seconds=_PAUSES_S[attempts - 1] * jitter)
