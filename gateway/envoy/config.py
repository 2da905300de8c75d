"""The configuration of the gateway's Envoy: typed settings in, a bootstrap as plain data out."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.envoy.access import Access
from gateway.envoy.access_log import NOTE_STATUS, access_log
from gateway.envoy.access_replies import access_replies
from gateway.envoy.authentication import IDENTITY_HEADERS
from gateway.envoy.collector import EnvoyTraces, collector_cluster
from gateway.envoy.descriptors import load_descriptors
from gateway.envoy.filters import (
    GRPC_WEB,
    HEALTH_CHECK,
    REST_FRONT,
    TRANSCODER,
    cors_policy,
    http_filters,
    without,
)
from gateway.envoy.front import Front
from gateway.envoy.listener import EXTENSIONS, connection_limit, request_id, socket_address
from gateway.envoy.local_replies import local_reply_config
from gateway.envoy.tracing import DROPPED_HEADERS, runtime, traced_as, tracing

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Largest REST body; a gRPC message has the same limit."""
MAX_HEADER_KB = 64
"""Of all headers of a request."""
MAX_HEADERS = 100
"""Of a request."""
GRPC_OVERHEAD_BYTES = 64 * 1024
"""What the path's variables and the frame may add to a body when it becomes a gRPC message."""
GRPC_WEB_CONTENT = {
    "name": "content-type",
    "string_match": {"safe_regex": {"regex": r"application/grpc-web(-text)?(\+proto)?"}},
}
"""What Envoy's gRPC-Web filter takes for it: these and nothing else."""
EVERYTHING = {"prefix": "/"}


def bootstrap(
    settings: Front,
    contract: FileDescriptorSet | None = None,
    access: Access | None = None,
    traces: EnvoyTraces | None = None,
) -> dict[str, Any]:
    """The whole configuration, as Envoy reads it from JSON.

    contract: what REST follows, if it is not the product's own. Raises ValueError for an HTTP rule
    in it that cannot be. access: who may call; None: everybody. traces: where spans go; None: there
    are none.
    """
    contract = contract or load_descriptors()
    clusters = {"clusters": [collector_cluster(traces)]} if traces else {}
    return {
        "node": {"id": "gateway", "cluster": "predict-mesh"},
        "admin": {"address": socket_address("127.0.0.1", settings.admin_port)},
        "static_resources": {
            "listeners": [_listener(settings, contract, access, traces)],
            **clusters,
        },
        "overload_manager": connection_limit(settings.max_connections),
        **({"layered_runtime": runtime()} if traces else {}),
    }


def _listener(
    settings: Front,
    contract: FileDescriptorSet,
    access: Access | None,
    traces: EnvoyTraces | None,
) -> dict[str, Any]:
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": _http_manager(settings, contract, access, traces),
    }
    return {
        "name": "gateway",
        "address": socket_address(settings.address, settings.port),
        # With it a second gateway would share the port without an error.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": 1024 * 1024,
        "filter_chains": [{"filters": [manager]}],
    }


def _http_manager(
    settings: Front,
    contract: FileDescriptorSet,
    access: Access | None,
    traces: EnvoyTraces | None,
) -> dict[str, Any]:
    return {
        "@type": f"{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "server_name": "predict-mesh",
        **request_id(is_traced=bool(traces)),
        "use_remote_address": True,
        "normalize_path": True,
        "merge_slashes": True,
        "early_header_mutation_extensions": [_drop_headers(access, traces)],
        **_limits(),
        "http2_protocol_options": _http2(),
        "local_reply_config": local_reply_config(
            access_replies() if access else [],
            max_body_bytes=MAX_BODY_BYTES,
            max_header_bytes=MAX_HEADER_KB * 1024,
        ),
        "route_config": {"virtual_hosts": [_virtual_host(settings, traces)]},
        "http_filters": http_filters(
            settings, contract, access, traces, max_body_bytes=MAX_BODY_BYTES
        ),
        **({"tracing": tracing(traces)} if traces else {}),
        **_access_log(settings),
    }


def _access_log(settings: Front) -> dict[str, Any]:
    if not settings.access_log:
        return {}
    return {"access_log": access_log(settings.access_log, settings.caller_header)}


def _limits() -> dict[str, Any]:
    return {
        "max_request_headers_kb": MAX_HEADER_KB,
        "request_headers_timeout": "10s",
        "common_http_protocol_options": {"max_headers_count": MAX_HEADERS, "idle_timeout": "600s"},
        # A stream may rest this long between two messages: longer than any wait.
        "stream_idle_timeout": "3600s",
        # From the first notice of a drain to the GOAWAY that refuses new streams.
        "drain_timeout": "1s",
    }


def _http2() -> dict[str, Any]:
    return {
        "max_concurrent_streams": 1024,
        "initial_stream_window_size": 1024 * 1024,
        "initial_connection_window_size": 16 * 1024 * 1024,
        # Each answer's request id goes into the table, in which a name's values are looked through
        # one by one: with 4096 bytes that is a tenth of Envoy's time.
        "hpack_table_size": 1024,
        # Finds clients that went away without a word.
        "connection_keepalive": {"interval": "60s", "timeout": "20s"},
    }


def _virtual_host(settings: Front, traces: EnvoyTraces | None) -> dict[str, Any]:
    """Nothing is forwarded: a route says which filters are for its kind of request."""

    notes = (NOTE_STATUS,) if settings.access_log else ()
    native = without(HEALTH_CHECK, GRPC_WEB, REST_FRONT, TRANSCODER, *notes)

    def known_as(protocol: str) -> dict[str, Any]:
        name = {"name": protocol} if settings.access_log else {}
        return name | (traced_as(protocol) if traces else {})

    return {
        "name": "gateway",
        "domains": ["*"],
        "request_body_buffer_limit": MAX_BODY_BYTES + GRPC_OVERHEAD_BYTES,
        "routes": [
            _route({**EVERYTHING, "grpc": {}}, native, known_as("grpc")),
            _route(
                {**EVERYTHING, "headers": [GRPC_WEB_CONTENT]},
                without(HEALTH_CHECK, REST_FRONT, TRANSCODER),
                known_as("grpc-web"),
            ),
            *(
                _route(_mounted(path, methods), native, known_as("rest"))
                for path, methods in settings.mounts.items()
            ),
            _route(EVERYTHING, without(GRPC_WEB), known_as("rest")),
        ],
        "typed_per_filter_config": cors_policy(settings.cors_origins),
    }


def _route(
    match: dict[str, Any], per_filter: dict[str, Any], known_as: dict[str, Any]
) -> dict[str, Any]:
    return {
        "match": match,
        "non_forwarding_action": {},
        "typed_per_filter_config": per_filter,
        **known_as,
    }


def _mounted(path: str, methods: Sequence[str]) -> dict[str, Any]:
    """What the application answers as it is; the REST front refuses other methods."""
    method = {"safe_regex": {"regex": "|".join(methods)}}
    return {
        "path_separated_prefix": path,
        "headers": [{"name": ":method", "string_match": method}],
    }


def _drop_headers(access: Access | None, traces: EnvoyTraces | None) -> dict[str, Any]:
    """Envoy's own headers say what Envoy did, and others who calls: a client may not send them."""
    prefixes = ("x-envoy-", *(IDENTITY_HEADERS if access else ()))
    names = DROPPED_HEADERS if traces else ()
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": f"{EXTENSIONS}.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [
                *({"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in prefixes),
                *({"remove": name} for name in names),
            ],
        },
    }
