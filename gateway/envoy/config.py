"""The configuration of the gateway's Envoy: typed settings in, a bootstrap as plain data out."""

from typing import Any

from gateway.envoy.filters import http_filters
from gateway.envoy.local_replies import local_reply_config
from gateway.envoy.settings import EnvoySettings

HTTP_MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network"
    ".http_connection_manager.v3.HttpConnectionManager"
)
MAX_BODY_BYTES = 4 * 1024 * 1024
"""Largest REST body; the same as the largest gRPC message."""


def bootstrap(settings: EnvoySettings) -> dict[str, Any]:
    """The whole configuration, as Envoy reads it from JSON."""
    return {
        "node": {"id": "gateway", "cluster": "predict-mesh"},
        "admin": {"address": _socket("127.0.0.1", settings.admin_port)},
        "static_resources": {"listeners": [_listener(settings)]},
        "overload_manager": _connection_limit(settings.max_connections),
    }


def _listener(settings: EnvoySettings) -> dict[str, Any]:
    return {
        "name": "gateway",
        "address": _socket(settings.address, settings.port),
        "per_connection_buffer_limit_bytes": 1024 * 1024,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": _http_manager(settings),
                    }
                ]
            }
        ],
    }


def _http_manager(settings: EnvoySettings) -> dict[str, Any]:
    return {
        "@type": HTTP_MANAGER,
        "stat_prefix": "gateway",
        "server_name": "predict-mesh",
        "generate_request_id": False,
        "normalize_path": True,
        "merge_slashes": True,
        "use_remote_address": True,
        "early_header_mutation_extensions": [_drop_envoy_headers()],
        "max_request_headers_kb": 64,
        "request_headers_timeout": "10s",
        # A stream may rest this long between two messages; longer than any wait.
        "stream_idle_timeout": "3600s",
        "common_http_protocol_options": {"max_headers_count": 100, "idle_timeout": "600s"},
        "http2_protocol_options": {
            "max_concurrent_streams": 1024,
            "initial_stream_window_size": 1024 * 1024,
            "initial_connection_window_size": 16 * 1024 * 1024,
            # Finds clients that went away without a word.
            "connection_keepalive": {"interval": "60s", "timeout": "20s"},
        },
        "local_reply_config": local_reply_config(max_body_bytes=MAX_BODY_BYTES),
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "gateway",
                    "domains": ["*"],
                    "request_body_buffer_limit": MAX_BODY_BYTES + 65536,
                    "routes": [{"match": {"prefix": "/"}, "non_forwarding_action": {}}],
                }
            ]
        },
        "http_filters": http_filters(settings, max_body_bytes=MAX_BODY_BYTES),
    }


def _drop_envoy_headers() -> dict[str, Any]:
    """Envoy's own headers say what Envoy did: a client may not send them."""
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation"
            ".header_mutation.v3.HeaderMutation",
            "mutations": [{"remove_on_match": {"key_matcher": {"prefix": "x-envoy-"}}}],
        },
    }


def _connection_limit(max_connections: int) -> dict[str, Any]:
    return {
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.resource_monitors"
                    ".downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": max_connections,
                },
            }
        ]
    }


def _socket(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}
