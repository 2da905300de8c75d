"""What all calls of the Open Inference Protocol share: names, limits, and how a batch fails."""

import json
from functools import lru_cache
from typing import Any

from inference.addresses import may_be_several

INFER = "/inference.GRPCInferenceService/ModelInfer"
METADATA = "/inference.GRPCInferenceService/ModelMetadata"
READY = "/inference.GRPCInferenceService/ModelReady"

CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A server that was restarted is found again at once, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
_SPREAD = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": "inference.GRPCInferenceService"}],
            # What one server of several did not answer, another one is asked, once; in a mesh,
            # which asks others itself and says so by grpc-retry-pushback-ms, not from here.
            "retryPolicy": {
                "maxAttempts": 2,
                "initialBackoff": "0.01s",
                "maxBackoff": "0.1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # While none answers, calls fail at once: not each is asked twice.
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}
_SPREAD_OPTIONS = [
    ("grpc.service_config", json.dumps(_SPREAD)),
    # A server that is replaced has another address, which is to be found soon.
    ("grpc.dns_min_time_between_resolutions_ms", 5000),
]
MAX_REQUEST_TEXT_BYTES = 3 * 1024 * 1024
"""Texts of one call together: servers in Python take messages of 4 MiB unless told otherwise."""
PROBE_TEXT = "ready?"
"""A text that every model can process."""
PROBE_S = 5.0


def channel_options(address: str) -> list[tuple[str, Any]]:
    """Of a channel for many calls: it spreads them over the servers that the address names."""
    return CHANNEL_OPTIONS + (_SPREAD_OPTIONS if may_be_several(address) else [])


@lru_cache(maxsize=1024)
def routing(version: str) -> tuple[tuple[str, str], ...]:
    """The metadata by which a mesh finds the servers of a version."""
    return (("x-model-version", version),)


class BatchFailed(Exception):
    """The server did not process a batch: for one of its texts, or for a fault of its own.

    The message is a code or says which tensor is wrong, and quotes no text.
    """
