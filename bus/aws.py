"""How programs call AWS: by boto3, which blocks, in threads, and with retries of their own."""

from concurrent.futures import ThreadPoolExecutor

from botocore.config import Config

THREADS = 16
"""Calls of a program that may be in flight."""

# Who calls tries again by bus.outages: after a delay, with one log line for an outage.
CONFIG = Config(
    max_pool_connections=THREADS,
    connect_timeout=2,
    read_timeout=30,
    retries={"total_max_attempts": 1, "mode": "standard"},
)


def open_threads() -> ThreadPoolExecutor:
    """The threads that the calls of a program block."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="aws")
