"""Waiting in tests: for a condition, with a limit, never for a length of time."""

import time
from collections.abc import Callable

PATIENCE_S = 100.0
"""Far from what anything takes that tests wait for: a machine under load must not fail one."""


def wait_until(condition: Callable[[], bool], *, timeout_s: float = PATIENCE_S) -> None:
    """Returns once `condition` holds; fails the test if it does not in `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(0.01)
