"""The HTTP filters of the gateway, in the order in which a request meets them."""

import base64
import json
from importlib.util import find_spec
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.envoy.access import Access
from gateway.envoy.access_log import note_status
from gateway.envoy.access_paths import HEALTHZ
from gateway.envoy.authentication import authenticate
from gateway.envoy.collector import EnvoyTraces
from gateway.envoy.descriptors import bindings, rest_methods
from gateway.envoy.front import Front
from gateway.envoy.http_filter import TYPES, full_name, http_filter
from gateway.envoy.rest_front import rest_front_script
from gateway.envoy.rest_rules import rest_rules
from gateway.envoy.tracing import tell_span

HEALTH_CHECK, GRPC_WEB, REST_FRONT = "health_check", "grpc_web", "lua"
TRANSCODER = "grpc_json_transcoder"
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
"""Largest answer that the transcoder makes JSON of; no other limit of ours lets one grow to it."""


def http_filters(
    settings: Front,
    descriptors: FileDescriptorSet,
    access: Access | None,
    traces: EnvoyTraces | None,
    *,
    max_body_bytes: int,
) -> list[dict[str, Any]]:
    """The chain; its end is the application, and nothing is forwarded.

    descriptors: the contract that REST follows. access: who may call; None: everybody. traces:
    where spans go; None: there are none.
    """
    rules = rest_rules(
        descriptors,
        settings.mounts,
        max_body_bytes=max_body_bytes,
        access=access.policy if access else None,
    )
    script = rest_front_script(rules)
    cors = [http_filter("cors", "cors.v3.Cors")] if settings.cors_origins else []
    return [
        _health_check(),
        *cors,
        *([tell_span()] if traces else []),
        http_filter(GRPC_WEB, "grpc_web.v3.GrpcWeb"),
        # After gRPC-Web, so that refusals become that too, and before any work on a request.
        *([authenticate(access.policy.tokens, access.keys)] if access else []),
        http_filter(REST_FRONT, "lua.v3.Lua", default_source_code={"inline_string": script}),
        _transcoder(descriptors, keeps_route=bool(traces or settings.access_log)),
        *([note_status()] if settings.access_log else []),
        _application(settings.app),
    ]


def without(*names: str) -> dict[str, Any]:
    """Switches filters off on a route: passing one costs time even where it does nothing."""
    off = {"@type": f"{TYPES}.config.route.v3.FilterConfig", "disabled": True}
    return {full_name(name): off for name in names}


def cors_policy(origins: tuple[str, ...]) -> dict[str, Any]:
    """Which web pages may call, for the virtual host; nothing without origins."""
    if not origins:
        return {}
    policy = {
        "@type": f"{TYPES}.extensions.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{"exact": origin} for origin in origins],
        "allow_methods": "GET, POST, DELETE",
        "allow_headers": "authorization, content-type, grpc-timeout, traceparent, x-grpc-web,"
        " x-request-id, x-session-id, x-user-agent",
        "expose_headers": "grpc-status, grpc-message, grpc-status-details-bin, x-request-id",
        "max_age": "3600",
    }
    return {full_name("cors"): policy}


def _health_check() -> dict[str, Any]:
    """Answers /healthz, which tells that the process lives, beside all work.

    Envoy listens only once the application has started.
    """
    return http_filter(
        HEALTH_CHECK,
        "health_check.v3.HealthCheck",
        pass_through_mode=False,
        headers=[{"name": ":path", "string_match": {"exact": HEALTHZ}}],
    )


def _transcoder(descriptors: FileDescriptorSet, *, keeps_route: bool) -> dict[str, Any]:
    """keeps_route: whether it matters by which route a request came: one of gRPC takes it else."""
    return http_filter(
        TRANSCODER,
        "grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor_bin=base64.b64encode(_without_response_body(descriptors)).decode(),
        services=sorted({service for service, _, _ in rest_methods(descriptors)}),
        convert_grpc_status=True,
        **({"match_incoming_request_route": True} if keeps_route else {}),
        query_param_unescape_plus=True,
        # In a variable of several segments, as google.api.http says.
        url_unescape_spec="ALL_CHARACTERS_EXCEPT_SLASH",
        max_response_body_size=MAX_RESPONSE_BYTES,
        print_options={
            # A confidence of 0 and an empty list are answers too.
            "always_print_primitive_fields": True,
            "stream_newline_delimited": True,
            "stream_sse_style_delimited": True,
        },
    )


def _without_response_body(descriptors: FileDescriptorSet) -> bytes:
    """The transcoder refuses a response_body; the REST front filter cuts it out instead."""
    copy = FileDescriptorSet.FromString(descriptors.SerializeToString())
    for _, method, _ in rest_methods(copy):
        for rule in bindings(method.options.Extensions[annotations_pb2.http]):
            rule.ClearField("response_body")
    return copy.SerializeToString()


def _application(app: str) -> dict[str, Any]:
    """Python: pyvoy's module, configured as `pyvoy --print-envoy-config` shows."""
    module = find_spec("pyvoy._pyvoy")
    if module is None or module.origin is None:
        raise FileNotFoundError("pyvoy has no module for this platform")
    config = {"app": app, "interface": "asgi", "root_path": "", "lifespan": True}
    return http_filter(
        "dynamic_modules",
        "dynamic_modules.v3.DynamicModuleFilter",
        filter_name="pyvoy",
        terminal_filter=True,
        dynamic_module_config={"module": {"local": {"filename": module.origin}}},
        filter_config={
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": json.dumps(config),
        },
    )
