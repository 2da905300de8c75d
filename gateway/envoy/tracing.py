"""Envoy's own spans: one for each request, and the application is told which.

Nobody finds what a client wrote in them: no path, no query, no header's value.
"""

from typing import Any

from gateway.envoy.collector import COLLECTOR, EnvoyTraces, collector_service
from gateway.envoy.http_filter import TYPES, http_filter
from telemetry.sampling import Sampler

SPAN_HEADER = "x-pmesh-span"
"""In which Envoy tells the application its span, by the ids of trace and span: "TRACE-SPAN". "-" is
none, as where a traceparent came that is none. Only where Envoy sends spans is it Envoy's word."""
DROPPED_HEADERS = ("tracestate", "x-client-trace-id")
"""Envoy would put a client's own into spans."""
BATCH = 256
"""Spans that are sent together. gateway.envoy.collector says how many such may wait."""
DELAY_MS = 1000
"""Until a span is sent, together with others."""

_SAMPLERS = "envoy.tracers.opentelemetry.samplers"
_TRACERS = f"{TYPES}.extensions.tracers.opentelemetry"


def tracing(traces: EnvoyTraces) -> dict[str, Any]:
    """Of the connection manager. Which requests are recorded, the sampler alone decides.

    Each tag costs every request something; what clients write is made illegible by spans.lua, in
    those that are sent.
    """
    return {
        "custom_tags": [
            {"tag": "http.request.method", "value": "%REQ(:METHOD)%"},
            {"tag": "http.response.status_code", "value": "%RESPONSE_CODE%"},
        ],
        "max_path_tag_length": 1,
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": f"{TYPES}.config.trace.v3.OpenTelemetryConfig",
                "http_service": collector_service(traces),
                "service_name": "envoy",
                "resource_detectors": [_namespace()],
                "sampler": _sampler(traces.make_sampler()),
            },
        },
    }


def runtime() -> dict[str, Any]:
    """When spans are sent: five by five, as Envoy would, takes a request for each few calls."""
    values = {
        "tracing.opentelemetry.min_flush_spans": BATCH,
        "tracing.opentelemetry.flush_interval_ms": DELAY_MS,
    }
    return {"layers": [{"name": COLLECTOR, "static_layer": values}]}


def tell_span() -> dict[str, Any]:
    """The filter that sets SPAN_HEADER: what Envoy forwards has a traceparent, this is its end."""
    header = {"key": SPAN_HEADER, "value": "%TRACE_ID%-%SPAN_ID%"}
    append = {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    mutations = {"request_mutations": [{"append": append}]}
    return http_filter("header_mutation", "header_mutation.v3.HeaderMutation", mutations=mutations)


def traced_as(name: str) -> dict[str, Any]:
    """Of a route: what its spans are called."""
    return {"decorator": {"operation": name, "propagate": False}}


def _namespace() -> dict[str, Any]:
    detector = "resource_detectors.v3.StaticConfigResourceDetectorConfig"
    return {
        "name": "envoy.tracers.opentelemetry.resource_detectors.static_config",
        "typed_config": {
            "@type": f"{_TRACERS}.{detector}",
            "attributes": {"service.namespace": "predict-mesh"},
        },
    }


def _sampler(sampler: Sampler) -> dict[str, Any]:
    share = {"numerator": sampler.per_million, "denominator": "MILLION"}
    by_ratio = {
        "name": f"{_SAMPLERS}.trace_id_ratio_based",
        "typed_config": {
            "@type": f"{_TRACERS}.samplers.v3.TraceIdRatioBasedSamplerConfig",
            "sampling_percentage": share,
        },
    }
    if not sampler.asks_parent:
        return by_ratio
    return {
        "name": f"{_SAMPLERS}.parent_based",
        "typed_config": {
            "@type": f"{_TRACERS}.samplers.v3.ParentBasedSamplerConfig",
            "wrapped_sampler": by_ratio,
        },
    }
