"""Where in the record to look.

Ids are UUIDv7, so ranges of ids are ranges of time, and the record has a partition for each day. A
statement that does not say between which ids it looks has PostgreSQL open all of them, and costs
more each day. So does one whose plan is made before its ids are known: none of them is prepared.
"""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from predict.v1.prediction_service_pb2 import CreatePredictionRequest

from contract.rules import rules_of

_TTL = rules_of(CreatePredictionRequest.DESCRIPTOR.fields_by_name["ttl"])

MAX_TTL = timedelta(seconds=_TTL.duration.lte.seconds)
"""Of an unfinished prediction: what is older has expired."""
CLOCKS_DIFFER = timedelta(days=1)
"""At the most, for unfinished work to be found whenever it is looked for."""

FIRST_ID = "00000000-0000-0000-0000-000000000000"
LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

_DAY_MS = 86_400_000
_MAX_MS = 2**48 - 1
_STEP_DAYS = 128
"""Of a step of `newest_first`, at the most: each day takes some of the locks that all share."""
_MOST_DAYS = 1024
"""Of its steps in all, almost three years; what follows is all the rest."""


class Ids(NamedTuple):
    """Those from one on, and before another."""

    since: str = FIRST_ID
    until: str = LAST_ID


def first_id(moment: datetime, *, later_s: int = 0) -> str:
    """The lowest id of a moment, or of so much later; the first or last, where no id can be."""
    return _first_id(int((moment.timestamp() + later_s) * 1000))


def unfinished_since() -> str:
    """From which id on all unfinished predictions are, but those that have expired."""
    return _first_id(_now_ms() - int((MAX_TTL + CLOCKS_DIFFER).total_seconds() * 1000))


def newest_first(ids: Ids) -> Iterator[Ids]:
    """Cut a range into whole days: the last one, then one, two, four, and so on up to _STEP_DAYS.

    The days that are yet to come go with today. So whoever stops when it has enough has looked at
    about twice the days that it needed, and whoever does not, at all of them in 16 steps.
    """
    since, until = ids
    latest_ms = min(_now_ms(), int(until.replace("-", "")[:12], 16))
    cut_ms, days = latest_ms - latest_ms % _DAY_MS, 1
    last_ms = cut_ms - _MOST_DAYS * _DAY_MS
    while since < until:
        cut = _first_id(cut_ms) if cut_ms >= last_ms else FIRST_ID
        if cut < until:  # not where the range ends with a day
            yield Ids(max(since, cut), until)
            until = cut
        cut_ms, days = cut_ms - days * _DAY_MS, min(2 * days, _STEP_DAYS)


def _first_id(milliseconds: int) -> str:
    digits = f"{min(max(milliseconds, 0), _MAX_MS):012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
