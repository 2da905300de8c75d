"""Waiting in tests: for a condition, with a limit, never for a length of time."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 100) -> None:
    """Returns once `condition` holds; fails the test if it does not in `timeout_s`.

    The limit is far from what it takes: a machine under load must not fail a test.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(0.01)
