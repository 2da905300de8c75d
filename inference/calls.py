"""What all calls of the Open Inference Protocol share: names, limits, and how a batch fails."""

from functools import lru_cache
from typing import Any

from inference.addresses import Endpoint

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A server that was restarted is found again at once, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
MAX_REQUEST_TEXT_BYTES = 3 * 1024 * 1024
"""Texts of one call together: servers in Python take messages of 4 MiB unless told otherwise."""
PROBE_TEXT = "ready?"
"""A text that every model can process."""
PROBE_S = 5.0


def channel_options(endpoint: Endpoint) -> list[tuple[str, Any]]:
    """Of a channel to one server."""
    if endpoint.authority is None:
        return [*_OPTIONS]
    return [*_OPTIONS, ("grpc.default_authority", endpoint.authority)]


@lru_cache(maxsize=1024)
def routing(version: str) -> tuple[tuple[str, str], ...]:
    """The metadata by which a mesh finds the servers of a version."""
    return (("x-model-version", version),)


class BatchFailed(Exception):
    """The server did not process a batch: for one of its texts, or for a fault of its own.

    The message is a code or says which tensor is wrong, and quotes no text.
    """
