"""Transactions of jobs that run beside each other, and beside people."""

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from psycopg.errors import SerializationFailure

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


def begun_anew(work: Callable[P, T]) -> Callable[P, T]:
    """Have a function, which is one transaction, called again for as long as others overtake it.

    A transaction of monitoring.store.connect sees one state of the record: what it would change,
    another one may have changed since then. Not for what is called inside a transaction, whose
    state stays the same.
    """

    @functools.wraps(work)
    def until_done(*arguments: P.args, **named: P.kwargs) -> T:
        while True:
            try:
                return work(*arguments, **named)
            except SerializationFailure:
                log.debug("begun anew: %s", work.__name__)

    return until_done
