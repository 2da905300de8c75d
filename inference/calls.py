"""What all calls of the Open Inference Protocol share: names, limits, and how a batch fails."""

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
MAX_REQUEST_TEXT_BYTES = 3 * 1024 * 1024
"""Texts of one call together: servers in Python take messages of 4 MiB unless told otherwise."""
PROBE_TEXT = "ready?"
"""A text that every model can process."""
PROBE_S = 5.0


class BatchFailed(Exception):
    """The server did not process a batch: for one of its texts, or for a fault of its own.

    The message is a code or says which tensor is wrong, and quotes no text.
    """
