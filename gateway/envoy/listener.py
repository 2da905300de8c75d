"""How an Envoy of ours is reached: addresses, how many connections, and the ids of requests."""

from typing import Any

EXTENSIONS = "type.googleapis.com/envoy.extensions"


def socket_address(address: str, port: int) -> dict[str, Any]:
    """Where it listens, or whom it asks."""
    return {"socket_address": {"address": address, "port_value": port}}


def connection_limit(max_connections: int) -> dict[str, Any]:
    """The overload manager, by which more connections are closed at once."""
    monitor = {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": f"{EXTENSIONS}.resource_monitors.downstream_connections.v3"
            ".DownstreamConnectionsConfig",
            "max_active_downstream_connections": max_connections,
        },
    }
    return {"resource_monitors": [monitor]}


def request_id(*, is_traced: bool = False) -> dict[str, Any]:
    """Every answer has the id of its request, Envoy's own too: the caller's, or a new UUID.

    is_traced: whether requests have spans; not only those whose id is a UUID.
    """
    by_any_id = {"use_request_id_for_trace_sampling": False} if is_traced else {}
    return {
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": {
            "typed_config": {
                "@type": f"{EXTENSIONS}.request_id.uuid.v3.UuidRequestIdConfig",
                "pack_trace_reason": False,  # a caller gets back what he gave
                **by_any_id,
            }
        },
    }
