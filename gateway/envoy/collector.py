"""Where Envoy sends its spans: OpenTelemetry's variables as a cluster and its service.

Nothing waits for it. What does not get through is dropped, and Envoy counts it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
from opentelemetry.util.re import parse_env_headers

from contract.settings import read, setting
from gateway.envoy.http_filter import http_filter
from gateway.envoy.listener import EXTENSIONS, socket_address
from telemetry.settings import TraceSettings

COLLECTOR = "otlp"
"""The cluster."""
MOST_AT_ONCE = 4
"""Sendings under way, and as many that wait for a connection; more are dropped."""
MOST_BYTES = 4 * 1024 * 1024
"""Of one sending; a larger one is dropped."""


@dataclass(frozen=True, kw_only=True)
class EnvoyTraces(TraceSettings):
    """And what the SDK would read itself, of which Envoy knows nothing."""

    certificate: Path | None = setting("OTEL_EXPORTER_OTLP_CERTIFICATE", None)
    """Whose receivers are trusted by https; None: whom the public trusts."""
    traces_certificate: Path | None = setting("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", None)
    """This instead."""


def read_envoy_traces(environ: Mapping[str, str]) -> EnvoyTraces | None:
    """None: no endpoint. Raises ValueError, naming the variable."""
    traces = read(EnvoyTraces, environ)
    return traces if traces.endpoint else None


def collector_service(traces: EnvoyTraces) -> dict[str, Any]:
    """What the tracer asks, with the headers that go with it."""
    said = ",".join(traces.traces_headers or traces.headers)
    headers = parse_env_headers(said, liberal=True)
    return {
        "http_uri": {
            "uri": traces.endpoint,
            "cluster": COLLECTOR,
            "timeout": f"{traces.traces_timeout_s or traces.timeout_s:f}s",
        },
        "request_headers_to_add": [
            {"header": {"key": key, "value": value.replace("%", "%%")}}
            for key, value in headers.items()
        ],
    }


def collector_cluster(traces: EnvoyTraces) -> dict[str, Any]:
    """Envoy starts and serves whether its name resolves or not."""
    url = urlsplit(traces.endpoint)
    host, is_tls = url.hostname or "", url.scheme == "https"
    address = socket_address(host, url.port or (443 if is_tls else 80))
    limits = {
        "max_connections": MOST_AT_ONCE,
        "max_requests": MOST_AT_ONCE,
        "max_pending_requests": MOST_AT_ONCE,
    }
    return {
        "name": COLLECTOR,
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "wait_for_warm_on_init": False,
        "connect_timeout": "2s",
        "per_connection_buffer_limit_bytes": MOST_BYTES,
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": COLLECTOR,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                "http_filters": _on_the_way(),
            }
        },
        **({"transport_socket": _tls(host, traces)} if is_tls else {}),
    }


def _on_the_way() -> list[dict[str, Any]]:
    """What spans pass before they leave."""
    script = files("gateway.envoy").joinpath("spans.lua").read_text()
    return [
        http_filter("lua", "lua.v3.Lua", default_source_code={"inline_string": script}),
        http_filter("upstream_codec", "upstream_codec.v3.UpstreamCodec"),
    ]


def _tls(host: str, traces: EnvoyTraces) -> dict[str, Any]:
    authorities = traces.traces_certificate or traces.certificate or Path(certifi.where())
    name = {"san_type": "DNS", "matcher": {"exact": host}}
    sni = {"sni": host}
    if _is_ip(host):
        name, sni = name | {"san_type": "IP_ADDRESS"}, {}
    trusted = {
        "trusted_ca": {"filename": str(authorities.absolute())},
        "match_typed_subject_alt_names": [name],
    }
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{EXTENSIONS}.transport_sockets.tls.v3.UpstreamTlsContext",
            **sni,
            "common_tls_context": {"validation_context": trusted},
        },
    }


def _is_ip(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False
